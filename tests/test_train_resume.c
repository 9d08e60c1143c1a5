/* labels: unit alone; timeout: 300 */
/* A run that was stopped, or killed, goes on from its checkpoint and ends with the bytes of one that was not. */
#include "support_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/topi_resume_XXXXXX";
static struct world world;

enum how { STEPS, EPOCHS, KILLED };

/* Where a run ends before its time. 48 items in batches of 16: three steps an epoch, four epochs. */
struct row {
	const char *name, *recipe;
	enum how how;
	int after; /* epochs, or how often it asked whether to stop: before each step and after each epoch */
	int first_epoch; /* where it goes on */
};

static const struct row rows[] = {
	{"after two epochs", "{}", EPOCHS, 2, 3},
	{"within the first epoch", "{}", STEPS, 2, 1},
	{"within the third epoch", "{}", STEPS, 9, 3},
	{"AdamW, clipped, mixed, adjusted",
		"{\"rule\":\"adamw\",\"clip\":1,\"mixup\":0.4,\"logit_adjust\":1}", STEPS, 5, 2},
	{"frozen norms and stages", "{\"norm_frozen\":true,\"frozen_stages\":2,\"layer_decay\":0.7}",
		STEPS, 5, 2},
	{"in half precision where the processor has it", "{\"precision\":\"fastest\"}", STEPS, 5, 2},
	{"looking at kept-out items", "{\"patience\":3}", STEPS, 9, 3},
	{"killed in the third epoch", "{}", KILLED, 9, 3},
};

struct seen {
	const struct row *row; /* NULL: not to be stopped */
	int n_steps, n_epochs;
};

static int on_step(void *arg)
{
	struct seen *s = arg;
	if (s->row && s->row->how == KILLED && s->n_steps == s->row->after)
		raise(SIGKILL);
	return s->row && s->n_steps++ >= s->row->after && s->row->how == STEPS;
}

static int on_epoch(void *arg, const struct train_progress *progress)
{
	struct seen *s = arg;
	(void)progress;
	return s->row && s->row->how == EPOCHS && ++s->n_epochs >= s->row->after;
}

static void in_folder(char *out, const char *name)
{
	snprintf(out, 256, "%s/%s", folder, name);
}

static enum status run(const struct row *row, struct seen *seen, const char *path,
	const char *checkpoint, struct train_report *report, struct err *err)
{
	struct recipe recipe;
	assert_int_equal(recipe_read(row->recipe, &recipe_default, &recipe, err), OK);
	recipe.batch = 16;
	if (!strstr(row->recipe, "precision"))
		recipe.precision = BACKEND_SINGLE;
	struct train_spec spec = world_spec(&recipe);
	spec.n_epochs = 4;
	spec.checkpoint = checkpoint;
	spec.stop = on_step;
	spec.progress = on_epoch;
	spec.arg = seen;
	return train_run(&spec, world.items, 48, path, report, err);
}

static void same_bytes(const char *a, const char *b)
{
	uint8_t *bytes[2];
	size_t n[2];
	assert_int_equal(input_read_file(a, &bytes[0], &n[0], NULL), OK);
	assert_int_equal(input_read_file(b, &bytes[1], &n[1], NULL), OK);
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], n[0]);
	free(bytes[0]);
	free(bytes[1]);
}

/* In a process of its own, since oneDNN's threads do not outlive a fork. */
static int run_and_die(const char *program, int which, const char *path, const char *checkpoint)
{
	char number[16];
	int how = 0;
	snprintf(number, sizeof number, "%d", which);
	pid_t child = fork();
	if (child == 0) {
		execl(program, program, number, path, checkpoint, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	return WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}

static void a_stopped_run_goes_on_to_the_same_bytes(void **state)
{
	int which = (int)(intptr_t)*state;
	const struct row *row = &rows[which];
	char straight[256], resumed[256], checkpoint[256];
	struct train_report report;
	struct err err = {0};
	struct seen none = {0}, seen = {.row = row};
	in_folder(straight, "straight");
	in_folder(resumed, "resumed");
	in_folder(checkpoint, "checkpoint");
	if (run(row, &none, straight, NULL, &report, &err))
		fail_msg("%s", err.text);
	if (row->how == KILLED)
		assert_int_equal(run_and_die("/proc/self/exe", which, resumed, checkpoint), SIGKILL);
	else
		assert_int_equal(run(row, &seen, resumed, checkpoint, &report, &err), CONFLICT);
	assert_int_not_equal(access(resumed, F_OK), 0);
	assert_int_equal(access(checkpoint, F_OK), 0);
	if (run(row, &none, resumed, checkpoint, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.first_epoch, row->first_epoch);
	assert_int_not_equal(access(checkpoint, F_OK), 0);
	same_bytes(straight, resumed);
	unlink(straight);
	unlink(resumed);
}

/* Another seed's checkpoint, one of another recipe and a broken one are not gone on from. */
static void a_strange_checkpoint_is_left(void **state)
{
	(void)state;
	char path[256], checkpoint[256];
	struct row row = {"", "{}", EPOCHS, 1, 2};
	struct seen seen = {.row = &row}, none = {0};
	struct train_report report;
	struct err err = {0};
	in_folder(path, "strange");
	in_folder(checkpoint, "checkpoint");
	assert_int_equal(run(&row, &seen, path, checkpoint, &report, &err), CONFLICT);
	row.recipe = "{\"momentum\":0.8}";
	assert_int_equal(run(&row, &none, path, checkpoint, &report, &err), OK);
	assert_int_equal(report.first_epoch, 1);
	FILE *broken = fopen(checkpoint, "w");
	fputs("no checkpoint", broken);
	fclose(broken);
	assert_int_equal(run(&row, &none, path, checkpoint, &report, &err), OK);
	assert_int_equal(report.first_epoch, 1);
	unlink(path);
}

struct patience {
	int n_asked, n_most;
};

static int is_over(void *arg)
{
	struct patience *p = arg;
	return ++p->n_asked > p->n_most;
}

static enum status run_from(const char *parent, struct patience *patience, const char *path,
	const char *checkpoint, struct err *err)
{
	struct recipe recipe = recipe_tuning;
	struct train_report report;
	recipe.batch = 16;
	recipe.precision = BACKEND_SINGLE;
	struct train_spec spec = world_spec(&recipe);
	spec.from = parent;
	spec.n_epochs = 2;
	spec.checkpoint = checkpoint;
	spec.stop = is_over;
	spec.arg = patience;
	return train_run(&spec, world.items, 48, path, &report, err);
}

/* From a model: stopped while it gets its head there is nothing to go on from; later there is, and the bytes are the same. */
static void what_starts_from_a_model_goes_on_too(void **state)
{
	(void)state;
	char parent[256], straight[256], resumed[256], checkpoint[256];
	struct patience all = {.n_most = 1 << 20}, one = {.n_most = 1}, rest = {.n_most = 1 << 20};
	struct seen none = {0};
	struct train_report report;
	struct err err = {0};
	in_folder(parent, "parent");
	in_folder(straight, "straight");
	in_folder(resumed, "resumed");
	in_folder(checkpoint, "checkpoint");
	if (run(&rows[0], &none, parent, NULL, &report, &err) ||
		run_from(parent, &all, straight, NULL, &err))
		fail_msg("%s", err.text);
	assert_true(all.n_asked > 8); /* for the head, and before six steps */
	assert_int_equal(run_from(parent, &one, resumed, checkpoint, &err), CONFLICT);
	assert_int_not_equal(access(checkpoint, F_OK), 0);
	struct patience most = {.n_most = all.n_asked - 2};
	assert_int_equal(run_from(parent, &most, resumed, checkpoint, &err), CONFLICT);
	assert_int_equal(access(checkpoint, F_OK), 0);
	if (run_from(parent, &rest, resumed, checkpoint, &err))
		fail_msg("%s", err.text);
	same_bytes(straight, resumed);
	unlink(parent);
	unlink(straight);
	unlink(resumed);
}

int main(int argc, char **argv)
{
	train_world_init(&world);
	for (int i = 36; i < 48; i++)
		world.items[i].is_kept_out = true; /* minded where there is patience */
	if (argc == 4) {
		int which = argv[1][0] - '0';
		struct seen seen = {.row = &rows[which]};
		struct train_report report;
		return run(&rows[which], &seen, argv[2], argv[3], &report, NULL);
	}
	if (!mkdtemp(folder))
		return 1;
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest tests[N_ROWS + 2] = {cmocka_unit_test(a_strange_checkpoint_is_left),
		cmocka_unit_test(what_starts_from_a_model_goes_on_too)};
	for (int i = 0; i < N_ROWS; i++)
		tests[i + 2] = (struct CMUnitTest){
			rows[i].name, a_stopped_run_goes_on_to_the_same_bytes, NULL, NULL, (void *)(intptr_t)i};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	train_world_release(&world);
	return failed;
}
