/* labels: unit; timeout: 300 */
/* Launchers' variables, and two processes that train one net. */
#include "support_world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/topi_ranks_XXXXXX";
static struct world world;

static const char *const variables[] = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR",
	"MASTER_PORT", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
	"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_JOB_NUM_NODES"};

static const struct row {
	const char *name, *variables; /* NAME=value … */
	enum status status;
	struct ranks_place place;
} rows[] = {
	{"none", "", OK, {.n_ranks = 1, .port = 29501}},
	{"torchrun", "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=10.0.0.1 MASTER_PORT=4000", OK,
		{3, 4, 1, "10.0.0.1", 4001}},
	{"Open MPI", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1", OK,
		{1, 2, 1, "127.0.0.1", 29501}},
	{"Slurm", "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1 SLURM_JOB_NUM_NODES=1", OK,
		{1, 2, 1, "127.0.0.1", 29501}},
	{"Slurm, two machines",
		"SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=0 SLURM_JOB_NUM_NODES=2", BAD_INPUT,
		{0}},
	{"a rank past the last", "RANK=2 WORLD_SIZE=2", BAD_INPUT, {0}},
	{"a rank that is no number", "RANK=one WORLD_SIZE=2", BAD_INPUT, {0}},
	{"a shell within a Slurm job, no step", "SLURM_PROCID=0 SLURM_NTASKS=2", OK,
		{.n_ranks = 1, .port = 29501}},
};

static void forget_variables(void)
{
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		unsetenv(variables[i]);
}

static void a_launcher_is_understood(void **state)
{
	const struct row *row = *state;
	char text[300], *rest = text, *word;
	struct ranks_place place;
	forget_variables();
	snprintf(text, sizeof text, "%s", row->variables);
	while ((word = strsep(&rest, " ")) && *word) {
		char *value = strchr(word, '=');
		*value = 0;
		setenv(word, value + 1, 1);
	}
	assert_int_equal(ranks_place(&place, NULL), row->status);
	if (row->status == OK) {
		assert_int_equal(place.rank, row->place.rank);
		assert_int_equal(place.n_ranks, row->place.n_ranks);
		assert_int_equal(place.local_rank, row->place.local_rank);
		assert_int_equal(place.port, row->place.port);
		if (place.n_ranks > 1)
			assert_string_equal(place.host, row->place.host);
	}
	forget_variables();
}

/* One rank of a training, as its environment says; writes the first and the last loss beside the model. */
struct losses {
	double first, last;
	int stop_after; /* epochs; 0: never */
};

static int on_epoch(void *arg, const struct train_progress *progress)
{
	struct losses *losses = arg;
	if (progress->epoch == 1)
		losses->first = progress->loss;
	losses->last = progress->loss;
	return losses->stop_after && progress->epoch >= losses->stop_after;
}

static int be_rank(const char *path, const char *mode)
{
	struct ranks_place place;
	struct ranks *ranks = NULL;
	struct train_report report;
	struct losses losses = {0};
	struct err err = {0};
	struct recipe recipe = world_recipe();
	char word[] = "shared by rank 0", checkpoint[300], own[300];
	void *bytes = word;
	size_t n = sizeof word;
	if (ranks_place(&place, &err) || ranks_open(&place, 20, &ranks, &err) ||
		ranks_share(ranks, &bytes, &n, &err) || n != sizeof word || memcmp(bytes, word, n))
		goto failed;
	recipe.batch = 8;
	recipe.patience = 30;
	struct train_spec spec = world_spec(&recipe);
	spec.n_epochs = 12;
	spec.ranks = ranks;
	spec.progress = on_epoch;
	spec.arg = &losses;
	snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", path);
	snprintf(own, sizeof own, "%s.%d", path, place.rank);
	spec.checkpoint = checkpoint;
	/* "stopped": rank 1 alone hears the stop, and both go on from there. */
	losses.stop_after = !strcmp(mode, "stopped") && place.rank == 1 ? 3 : 0;
	enum status st = train_run(&spec, world.items, 64, path, &report, &err);
	if (!strcmp(mode, "stopped")) {
		losses.stop_after = 0;
		if (st == CONFLICT)
			st = train_run(&spec, world.items, 64, path, &report, &err);
		if (st == OK && report.first_epoch != 4)
			st = err_set(&err, FAULT, "it began at epoch %d", report.first_epoch);
	}
	if (st)
		goto failed;
	if (place.rank != 0 && losses.last > 0.75 * losses.first) {
		err_set(&err, FAULT, "the loss went from %g to %g", losses.first, losses.last);
		goto failed;
	}
	FILE *said = fopen(own, "w");
	fprintf(said, "%d %d\n", report.n_epochs, report.best_epoch);
	fclose(said);
	if (bytes != word)
		free(bytes);
	ranks_close(ranks);
	return 0;
failed:
	fprintf(stderr, "rank %d: %s\n", place.rank, err.text);
	ranks_close(ranks);
	return 1;
}

static void train_both(const char *path, const char *mode, int port)
{
	pid_t children[2];
	char number[16];
	for (int rank = 0; rank < 2; rank++) {
		children[rank] = fork();
		if (children[rank] == 0) {
			setenv("WORLD_SIZE", "2", 1);
			setenv("RANK", rank ? "1" : "0", 1);
			snprintf(number, sizeof number, "%d", port);
			setenv("MASTER_PORT", number, 1);
			setenv("OMP_NUM_THREADS", "1", 1);
			execl("/proc/self/exe", "test_train_ranks", path, mode, (char *)NULL);
			_exit(127);
		}
	}
	for (int rank = 0; rank < 2; rank++) {
		int how = -1;
		assert_int_equal(waitpid(children[rank], &how, 0), children[rank]);
		assert_int_equal(how, 0);
	}
}

static uint8_t *take(const char *path, size_t *n)
{
	uint8_t *bytes = NULL;
	assert_int_equal(input_read_file(path, &bytes, n, NULL), OK);
	unlink(path);
	return bytes;
}

/* The ranks judge and stop alike, and the bytes are those of a run that was stopped and went on. */
static void two_ranks_train_one_net(void **state)
{
	(void)state;
	static const char *const modes[] = {"straight", "stopped"};
	uint8_t *bytes[2];
	size_t n[2];
	int port = 20000 + (int)(getpid() % 20000);
	for (int i = 0; i < 2; i++) {
		char path[256], own[300];
		snprintf(path, sizeof path, "%s/model", folder);
		train_both(path, modes[i], port + 3 * i);
		bytes[i] = take(path, &n[i]);
		size_t n_said[2];
		uint8_t *said[2];
		for (int rank = 0; rank < 2; rank++) {
			snprintf(own, sizeof own, "%s.%d", path, rank);
			said[rank] = take(own, &n_said[rank]);
		}
		assert_int_equal(n_said[0], n_said[1]);
		assert_memory_equal(said[0], said[1], n_said[0]);
		free(said[0]);
		free(said[1]);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(bytes[0], bytes[1], n[0]);
	free(bytes[0]);
	free(bytes[1]);
}

static void a_rank_that_does_not_come_is_told(void **state)
{
	(void)state;
	struct ranks *ranks = NULL;
	struct err err = {0};
	struct ranks_place place = {.n_ranks = 2, .host = "127.0.0.1", .port = 20001};
	place.port += (int)(getpid() % 20000) + 40;
	assert_int_equal(ranks_open(&place, 0.2, &ranks, &err), BUSY);
	assert_non_null(strstr(err.text, "1 of 2 ranks did not come"));
	place.rank = 1;
	assert_int_equal(ranks_open(&place, 0.2, &ranks, &err), BUSY);
}

/* The first of two others comes and ends: rank 0 does not wait for the second. */
static void a_rank_that_is_gone_ends_the_wait(void **state)
{
	(void)state;
	struct ranks *ranks = NULL;
	struct err err = {0};
	struct ranks_place place = {.n_ranks = 3, .host = "127.0.0.1", .port = 20001};
	place.port += (int)(getpid() % 20000) + 41;
	pid_t child = fork();
	if (child == 0) {
		place.rank = 1;
		_exit(ranks_open(&place, 20, &ranks, &err) != OK);
	}
	int how = -1;
	assert_int_equal(ranks_open(&place, 60, &ranks, &err), FAULT);
	assert_string_equal(err.text, "rank 1 is gone, while 1 of 3 ranks were waited for");
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(how, 0);
}

int main(int argc, char **argv)
{
	train_world_init(&world);
	for (int i = 56; i < 64; i++)
		world.items[i].is_kept_out = true;
	if (argc == 3) {
		int status = be_rank(argv[1], argv[2]);
		train_world_release(&world);
		return status;
	}
	if (!mkdtemp(folder))
		return 1;
	enum { N_ROWS = sizeof rows / sizeof *rows };
	enum { N_FIRST = 3 };
	struct CMUnitTest tests[N_ROWS + N_FIRST] = {cmocka_unit_test(two_ranks_train_one_net),
		cmocka_unit_test(a_rank_that_does_not_come_is_told),
		cmocka_unit_test(a_rank_that_is_gone_ends_the_wait)};
	for (int i = 0; i < N_ROWS; i++)
		tests[i + N_FIRST] = (struct CMUnitTest){
			rows[i].name, a_launcher_is_understood, NULL, NULL, (void *)(uintptr_t)&rows[i]};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	train_world_release(&world);
	return failed;
}
