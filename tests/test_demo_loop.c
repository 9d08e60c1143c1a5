/* labels: http slow; timeout: 400 */
/*
 * The demo's loop in small: every step of it works on the real program, every subject is decided in the end, and every
 * answer that was given is kept. How well it does is the business of tools/demo.sh --check.
 */
#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"

#define TOPI TOPI_BINARY_DIR "/topi"

enum { N_SUBJECTS = 90, N_CERTIFY = 24, N_TRAIN = 20 };

static char folder[] = "/tmp/topi-loop-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	struct err err = {0};
	const char *const argv[] = {"rm", "-rf", folder, NULL};
	return child_run("/dev/null", argv, NULL, &err) == OK ? 0 : -1;
}

static void the_loop_closes(void **state)
{
	(void)state;
	char dir[100];
	snprintf(dir, sizeof dir, "%s/run", folder);
	const struct loop_options o = {.topi = TOPI,
		.dir = dir,
		.project = TOPI_SOURCE_DIR "/tools/demo/project.json",
		.n_subjects = N_SUBJECTS,
		.n_certify = N_CERTIFY,
		.n_train = N_TRAIN,
		.n_epochs = 1,
		.seed = 11,
		.first_wave = 0.45};
	struct loop loop = {.server = 0};
	struct err err = {0};
	if (loop_run(&loop, &o, &err) != OK)
		fail_msg("%s", err.text);
	const struct loop_result *r = &loop.result;
	/* That all are retired, and that every answer is exported once, loop_run has checked. */
	assert_int_equal(r->n_subjects, N_SUBJECTS);
	assert_int_equal(r->n_expert_gold, N_CERTIFY + N_TRAIN);
	assert_int_equal(r->n_scored, N_SUBJECTS - N_CERTIFY - N_TRAIN);
	assert_true(r->ours.answers >= 1 && r->ours.accuracy > 0.6);
	assert_true(r->plurality10.answers == 10);
	assert_true(r->model_before.n > 0 && r->model_after.n == r->model_before.n);
	/* 24 gold certify nothing: nothing is labelled by a model, and there is nothing to sabotage. */
	assert_true(r->auto_share == 0);
	assert_int_equal(r->sabotage, SABOTAGE_NONE);
	assert_string_equal(r->certificate, "");
	loop_release(&loop);
}

static void wilson_by_hand(void **state)
{
	(void)state;
	const struct {
		int n_right, n;
		double low, high;
	} rows[] = {{0, 0, 0, 1}, {0, 10, 0, 0.27753}, {8, 10, 0.49016, 0.94332}, {50, 50, 0.92865, 1}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct share s = loop_share(rows[i].n_right, rows[i].n);
		assert_float_equal(s.low, rows[i].low, 1e-4);
		assert_float_equal(s.high, rows[i].high, 1e-4);
	}
}

static void export_is_read_by_column_names(void **state)
{
	(void)state;
	char path[100];
	struct truth_row rows[] = {{.event = "D1/a, \"b\".JPG", .taxon = TAXON_ZEBRA},
		{.event = "D2/IMG_0001.JPG", .taxon = TAXON_BLANK}};
	const struct truth truth = {rows, 2};
	struct table table;
	struct err err = {0};
	snprintf(path, sizeof path, "%s/labels.csv", folder);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs("audit,subject,files,label,state,decided_by,n_answers,n_cant_tell,certificate,gold\r\n"
		  "audit:done,7,D2/IMG_0001.JPG|D2/IMG_0002.JPG,blank,retired,people,3,1,,\r\n"
		  ",12,\"D1/a, \"\"b\"\".JPG\",,open,,0,0,4,certify\r\n",
		out);
	fclose(out);
	assert_int_equal(table_load(&table, path, &truth, &err), OK);
	assert_int_equal(table.n, 2);
	assert_int_equal(table.max_id, 12);
	assert_ptr_equal(table.rows[0].truth, &rows[1]);
	assert_ptr_equal(table.rows[1].truth, &rows[0]);
	assert_int_equal(table.rows[0].label, TAXON_BLANK);
	assert_int_equal(table.rows[1].label, -1);
	assert_true(table.rows[0].audited && !table.rows[1].audited);
	assert_int_equal(table.rows[0].n_answers, 4);
	assert_int_equal(table.rows[1].certificate, 4);
	assert_string_equal(table.rows[1].gold, "certify");
	table_release(&table);
	rows[0].event = "elsewhere";
	assert_int_equal(table_load(&table, path, &truth, &err), BAD_INPUT);
	table_release(&table);
}

/*
 * What a good model would have left behind, on the gold alone: right but for the seventh it is least sure of, with a tenth
 * for every other class. A model of one epoch earns no certificate, and what is tested here is what becomes of one.
 */
#define TENTH(id) "0" #id "000000cdcccc3d"
static const char flatter[] =
	"WITH g AS (SELECT p.id, substr(p.top, 5, 4) AS share, CASE WHEN row_number() OVER (ORDER BY "
	"p.p_top) > count(*) OVER () / 7 THEN g.taxon_id ELSE g.taxon_id % 9 + 1 END AS said FROM "
	"prediction p JOIN gold g ON g.subject_id = p.subject_id WHERE g.purpose = 'certify'), "
	"e AS (SELECT id, said, CAST(char(said) AS BLOB) || x'000000' || share AS entry FROM g) "
	"UPDATE prediction SET top_id = (SELECT said FROM e WHERE e.id = prediction.id), top = "
	"(SELECT CAST(entry || x'" TENTH(1) TENTH(2) TENTH(3) TENTH(4) TENTH(5) TENTH(6) TENTH(7)
		TENTH(8) TENTH(9) "' || entry AS BLOB) FROM e WHERE e.id = prediction.id) "
						  "WHERE id IN (SELECT id FROM e)";

static enum status sabotage(struct loop *l, const struct loop_options *o, struct err *err)
{
	enum status st = loop_setup(l, o, err);
	if (st == OK)
		st = loop_topi(l, NULL, err, "train", l->data, l->slug, "--mode", "full", "--arch",
			"resnet10s", "--epochs", "1", NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "model", "promote", l->data, l->slug, "m1", NULL);
	if (st == OK)
		st = loop_topi(l, NULL, err, "predict", l->data, l->slug, NULL);
	if (st == OK)
		st = loop_sql(l, l->data, flatter, NULL, err);
	if (st == OK)
		st = loop_serve(l, l->data, err);
	if (st == OK)
		st = people_enter(&l->people, l->url, LOOP_PASSWORD, err);
	if (st == OK)
		st = loop_sabotage_copy(l, err);
	child_stop(&l->server);
	return st == OK ? loop_sabotage_run(l, err) : st;
}

/*
 * So small a net earns a certificate in some draws of gold and not in others, and then may be sure of next to nothing: where
 * the shuffled model labels ten subjects or fewer, there is little to find out, and another world is tried.
 */
static void shuffled_classes_are_found_out(void **state)
{
	(void)state;
	enum { TRIES = 4, FEW = 10 };
	for (int i = 0; i < TRIES; i++) {
		char dir[100];
		snprintf(dir, sizeof dir, "%s/sabotage%d", folder, i);
		const struct loop_options o = {.topi = TOPI,
			.dir = dir,
			.project = TOPI_SOURCE_DIR "/tools/demo/project.json",
			.n_subjects = 200,
			.n_certify = 100,
			.n_train = 30,
			.seed = 5 + (uint64_t)i,
			.first_wave = 1};
		struct loop loop = {.server = 0};
		struct err err = {0};
		if (sabotage(&loop, &o, &err) != OK)
			fail_msg("%s", err.text);
		struct loop_result result = loop.result;
		loop_release(&loop);
		if (result.sabotage == SABOTAGE_NONE || result.n_sabotage_labels <= FEW)
			continue;
		assert_int_equal(result.sabotage, SABOTAGE_REVOKED);
		assert_int_equal(result.n_sabotage_left, 0);
		return;
	}
	fail_msg("no certificate to break in %d worlds", TRIES);
}

int main(void)
{
	if (access(TOPI, X_OK)) {
		printf("skipped: there is no %s\n", TOPI);
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilson_by_hand),
		cmocka_unit_test(export_is_read_by_column_names),
		cmocka_unit_test(the_loop_closes),
		cmocka_unit_test(shuffled_classes_are_found_out),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
