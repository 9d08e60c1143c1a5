/* labels: fault; timeout: 120 */
/*
 * `topi consensus --answers` as people use and misuse it, the counting sort behind it, and what must hold for a refit whatever
 * the data: the same result for any number of threads, a warm start that is done, finite posteriors.
 */
#include "answers.h"
#include "confusion.h"
#include "dawid_skene.h"
#include "refit.h"
#include "support_command.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char place[64];

/* Each file is written as it stands ("\n" by printf); $ is nothing here. */
static const struct row {
	const char *answers, *prior, *gold, *options;
	int code;
	const char *says;
} rows[] = {
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, NULL, "", 0, "classes                2"},
	{"truth,label,worker,task\nx,x,a,1\nx,y,b,1\n", NULL, NULL, "", 0, "answers                2"},
	{"task,worker,answer\n1,a,x\n1,a,y\n1,b,y\n", NULL, NULL, "", 0, "repeats_dropped        1"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, NULL, "--json --refit", 0, "\"kappa\": 0.3"},
	{"task,worker,answer\n1,a,x\n", "task,class,probability\n1,x,.5\n1,y,.5\n", NULL, "", 0,
		"classes                2"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, "task,truth\n1,z\n9,x\n1,\n", "", 0,
		"gold_of_unknown_tasks  1"},
	{"", NULL, NULL, "", 1, "a.csv:1: the file is empty"},
	{"task,worker,answer\n", NULL, NULL, "", 1, "no answer below the header"},
	{"task,worker\n1,a\n", NULL, NULL, "", 1,
		"a.csv:1: there is no column \"answer\" (or \"label\")"},
	{"task,worker,answer,label\n1,a,x,x\n", NULL, NULL, "", 1, "a.csv:1: there are two columns"},
	{"task,worker,answer\n1,a,x\n1,,y\n", NULL, NULL, "", 1,
		"a.csv:3: the column \"worker\" is empty"},
	{"task,worker,answer\n1,a,x\n1,b\n", NULL, NULL, "", 1, "a.csv:3: the row ends before"},
	{"task,worker,answer\n1,a,x\n2,b,x\n", NULL, NULL, "", 1, "every answer is 'x'"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", "task,class,probability\n1,x,.5\n1,y,.4\n", NULL, "", 1,
		"p.csv:3: the probabilities of task '1' sum to 0.9"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", "task,class,probability\n1,x,nan\n1,y,.4\n", NULL, "", 1,
		"p.csv:2: the probability is 'nan'"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", "task,class,probability\n1,x,-1\n1,y,2\n", NULL, "", 1,
		"p.csv:2: the probability is '-1'"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", "task,class,probability\n1,x,.5\n1,x,.5\n", NULL, "", 1,
		"p.csv:3: task '1' has class 'x'"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, "task,truth\n1,x\n1,y\n", "", 1,
		"g.csv:3: task '1' has another truth"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, "task\n1\n", "", 1,
		"g.csv:1: there is no column \"truth\""},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, NULL, "--out /nowhere/o.csv", 1,
		"folder does not exist"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, NULL, "--out /dev/null", 1, "is no plain file"},
	{"task,worker,answer\n1,a,x\n1,b,y\n", NULL, NULL, "--gold /nowhere/g.csv", 1,
		"cannot be read"},
	{"task,worker,answer\n1,a,x\n", NULL, NULL, "--method best", 2, "--method is 'best'"},
	{"task,worker,answer\n1,a,x\n", NULL, NULL, "--method majority --refit", 2,
		"no use for --refit"},
	{"task,worker,answer\n1,a,x\n", NULL, NULL, "--fast", 2, "does not know --fast"},
};

static void put(const char *name, const char *text)
{
	char path[100];
	snprintf(path, sizeof path, "%s/%s", place, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void files_get_their_line(void **state)
{
	(void)state;
	int n_bad = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		put("a.csv", r->answers);
		put("p.csv", r->prior ? r->prior : "");
		put("g.csv", r->gold ? r->gold : "");
		const int code = command("cd %s && " TOPI
								 " consensus --answers a.csv %s %s --volunteers v.csv %s 2>&1",
			place, r->prior ? "--prior p.csv" : "", r->gold ? "--gold g.csv" : "", r->options);
		if (code != r->code || !strstr(command_out, r->says)) {
			print_error("row %zu: code %d, said: %s\n", i, code, command_out);
			n_bad++;
		}
		/* Nothing half written, nothing written at all by what failed. */
		if (command("cd %s && ls && ! ls *.part 2>/dev/null && test %s -f v.csv", place,
				code ? "!" : "") != 0) {
			print_error("row %zu leaves %s\n", i, command_out);
			n_bad++;
		}
		assert_int_equal(command("rm -f %s/v.csv", place), 0);
	}
	assert_int_equal(n_bad, 0);
}

static void majority_prefers_the_first_name(void **state)
{
	(void)state;
	put("a.csv",
		"task,worker,answer\n\"t,1\",b,zebra\n\"t,1\",a,ape\n2,a,zebra\n2,b,zebra\n2,c,ape\n3,c,"
		"zebra\n");
	assert_int_equal(
		command("cd %s && " TOPI
				" consensus --answers a.csv --method majority --out o.csv && cat o.csv",
			place),
		0);
	assert_non_null(strstr(command_out,
		"task,label,probability\r\n\"t,1\",ape,0.5\r\n2,zebra,0.6666666666666666\r\n3,zebra,1"));
}

/* A crowd whose answers are right by their volunteer's number, by a generator of its own. */
enum { N = 20000, V = 60, K = 7, EACH = 4 };

static struct answer *some_answers(void)
{
	struct answer *list = xcalloc(N * EACH, sizeof *list);
	uint32_t x = 12345;
	for (uint32_t i = 0; i < N * EACH; i++) {
		x = x * 1664525u + 1013904223u;
		const uint32_t subject = i / EACH, truth = subject % 5 ? 0 : 1 + subject / 5 % (K - 1);
		const uint32_t volunteer = (subject * 7 + i % EACH * 13) % V;
		const bool right = (x >> 8) % 100 < 60 + volunteer % 40;
		list[i] = (struct answer){subject, volunteer, right ? truth : (x >> 20) % K};
	}
	return list;
}

static void threads_change_nothing(void **state)
{
	(void)state;
	struct answer *list = some_answers();
	struct answers answers;
	struct refit *refit[2];
	struct refit_report report[2];
	struct err err;
	assert_int_equal(answers_sort(list, N * EACH, N, V, K, &answers, &err), OK);
	assert_int_equal(answers.n_repeats, 0);
	for (int t = 0; t < 2; t++) {
		const struct refit_input input = {.answers = &answers, .n_threads = 1 + 2 * t};
		assert_int_equal(refit_new(&input, &refit[t], &err), OK);
		assert_int_equal(refit_run(refit[t], 200, 1e-4, &report[t], &err), OK);
	}
	print_message("%d passes, moved %g\n", report[0].n_passes, report[0].moved);
	assert_int_equal(report[0].n_passes, report[1].n_passes);
	assert_true(report[0].n_passes > 1 && report[0].n_passes < 200 && report[0].moved < 1e-4);
	assert_memory_equal(refit_m(refit[0]), refit_m(refit[1]), K * K * sizeof(double));
	assert_memory_equal(refit_lambda(refit[0]), refit_lambda(refit[1]), V * sizeof(double));
	assert_memory_equal(refit_pi(refit[0]), refit_pi(refit[1]), K * sizeof(double));
	/* Better volunteers have smaller lambdas. */
	assert_true(refit_lambda(refit[0])[39] < refit_lambda(refit[0])[0]);

	/* From where it stopped there is nothing left to move. */
	struct refit_cell *cells = xcalloc(answers.n_columns * K, sizeof *cells);
	double column[K];
	size_t n_cells = 0;
	for (uint32_t v = 0; v < V; v++)
		for (uint32_t c = answers.volunteer_start[v]; c < answers.volunteer_start[v + 1]; c++) {
			refit_cells(refit[0], c, column);
			for (int z = 0; z < K; z++)
				cells[n_cells++] = (struct refit_cell){v, z, answers.column_class[c], column[z]};
		}
	const struct refit_start start = {refit_m(refit[0]), refit_lambda(refit[0]), cells, n_cells, 0};
	const struct refit_input warm = {.answers = &answers, .start = &start, .n_threads = 2};
	refit_free(refit[1]);
	assert_int_equal(refit_new(&warm, &refit[1], &err), OK);
	assert_int_equal(refit_run(refit[1], 30, 1e-4, &report[1], &err), OK);
	assert_int_equal(report[1].n_passes, 1);
	for (int z = 0; z < K; z++)
		assert_true(fabs(refit_pi(refit[0])[z] - refit_pi(refit[1])[z]) < 1e-4);
	for (int t = 0; t < 2; t++)
		refit_free(refit[t]);
	free(cells);
	free(list);
	answers_release(&answers);
}

/*
 * Volunteers who differ in care alone are told apart by lambda, and their matrices stay near the pool's; where each errs in a
 * way of their own the rows go to their own counts. Any number of threads finds the same.
 */
static void own_habits_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		bool habits;
		double least, most;
	} crowds[] = {{false, 100, 300}, {true, 1, 10}};
	for (size_t row = 0; row < sizeof crowds / sizeof *crowds; row++) {
		struct answer *list = some_answers();
		struct answers answers;
		struct err err;
		double m[2][K * K];
		for (uint32_t i = 0; crowds[row].habits && i < N * EACH; i++) {
			const uint32_t truth = list[i].subject % 5 ? 0 : 1 + list[i].subject / 5 % (K - 1);
			if (list[i].class != truth)
				list[i].class = (uint16_t)((truth + 1 + list[i].volunteer % (K - 1)) % K);
		}
		assert_int_equal(answers_sort(list, N * EACH, N, V, K, &answers, &err), OK);
		for (int t = 0; t < 3; t++) { /* the last: as the reference has it */
			const struct refit_input input = {
				.answers = &answers, .fits_own_prior = t < 2, .n_threads = 1 + 2 * t};
			struct refit *refit = NULL;
			struct refit_report report;
			assert_int_equal(refit_new(&input, &refit, &err), OK);
			assert_int_equal(refit_run(refit, 10, 1e-4, &report, &err), OK);
			const double prior = refit_own_prior(refit);
			if (t < 2 && !(prior >= crowds[row].least && prior <= crowds[row].most))
				fail_msg("crowd %zu: %g prior answers", row, prior);
			assert_true(t < 2 || prior == 30);
			if (t < 2)
				memcpy(m[t], refit_m(refit), sizeof m[t]);
			refit_free(refit);
		}
		assert_memory_equal(m[0], m[1], sizeof m[0]);
		free(list);
		answers_release(&answers);
	}
}

/* Two who agree and one who always says 0: what Dawid and Skene's first round gives, by hand. */
static void dawid_skene_by_hand(void **state)
{
	(void)state;
	struct answer list[] = {{0, 0, 0}, {0, 1, 0}, {1, 0, 1}, {1, 1, 1}, {1, 2, 0}};
	struct answers answers;
	struct err err;
	float q[4];
	assert_int_equal(answers_sort(list, 5, 2, 3, 2, &answers, &err), OK);
	assert_int_equal(dawid_skene(&answers, NULL, 1, q, &err), OK);
	/* Shares: (1, 0) and (1/3, 2/3). pi = (4/3 + .01, 2/3 + .01) / 2.02. Volunteers 0 and 1 have counts [0][0] = 1,
	 * [0][1] = 1/3, [1][1] = 2/3; volunteer 2 has [0][0] = 1/3, [1][0] = 2/3. Of subject 1: */
	const double zero = (4.0 / 3 + .01) * pow((1.0 / 3 + .01) / (4.0 / 3 + .02), 2) *
		(1.0 / 3 + .01) / (1.0 / 3 + .02);
	const double one = (2.0 / 3 + .01) * pow((2.0 / 3 + .01) / (2.0 / 3 + .02), 2) *
		(2.0 / 3 + .01) / (2.0 / 3 + .02);
	assert_true(fabs((double)q[3] - one / (zero + one)) < 1e-6);
	answers_release(&answers);
}

static void bad_lists_are_refused(void **state)
{
	(void)state;
	struct answer list[] = {{0, 0, 0}, {0, 1, 2}};
	struct answers answers;
	struct err err;
	assert_int_equal(answers_sort(list, 2, 1, 2, 2, &answers, &err), BAD_INPUT);
	assert_int_equal(answers_sort(list, 2, 1, 2, 1, &answers, &err), BAD_INPUT);
	assert_int_equal(answers_sort(list, 2, 1, 1, 3, &answers, &err), BAD_INPUT);
	assert_int_equal(answers_sort(list, 2, 1, 2, 3, &answers, &err), OK);
	const uint32_t start[] = {0, 1};
	const uint16_t class[] = {0};
	const double p[] = {NAN}, share[] = {.5, .25, .25};
	const struct refit_prior prior = {.start = start, .class = class, .p = p, .share = share};
	const int16_t gold[] = {3};
	const struct refit_input bad_prior = {.answers = &answers, .prior = &prior};
	const struct refit_input bad_gold = {.answers = &answers, .gold = gold};
	struct refit *refit = NULL;
	assert_int_equal(refit_new(&bad_prior, &refit, &err), BAD_INPUT);
	assert_int_equal(refit_new(&bad_gold, &refit, &err), BAD_INPUT);
	answers_release(&answers);
}

int main(void)
{
	snprintf(place, sizeof place, "/tmp/topi-crowd-XXXXXX");
	if (!mkdtemp(place))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_get_their_line),
		cmocka_unit_test(majority_prefers_the_first_name),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(own_habits_are_told_apart),
		cmocka_unit_test(dawid_skene_by_hand),
		cmocka_unit_test(bad_lists_are_refused),
	};
	const int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	command("rm -rf %s", place);
	return n_failed;
}
