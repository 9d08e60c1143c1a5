/* labels: http; timeout: 240 */
/*
 * `topi train` as a user gives it: a recipe from a file tells in the model, and a training that SIGTERM ends in mid-run
 * goes on, in another worker, to the bytes of one that nobody stopped. Recipes that are refused: test_cli.c.
 */
#include "model.h"
#include "safetensors.h"
#include "server.h"
#include "support_frames.h"
#include "volunteer.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { LEASE_MS = 400, EPOCHS = 10, STOP_AFTER = 3, PATIENCE_MS = 100000 };

static struct frames frames;
static char token_file[100];
static struct server *server;

#define sql(...) frames_sql(&frames, __VA_ARGS__)

static void check_status(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

static const char *write_text(const char *name, const char *text)
{
	static char path[100];
	snprintf(path, sizeof path, "%s/%s", frames.dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	struct db *db = NULL;
	char secret[SECRET_SIZE];
	frames_open(&frames, LEASE_MS);
	frames_label(&frames);
	check_status(db_open(frames.dir, DB_WRITE, &db, &err), &err);
	secret_make(secret);
	check_status(token_add(db, "t", secret, 1, &err), &err);
	db_close(db);
	snprintf(token_file, sizeof token_file, "%s", write_text("token", secret));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	server_stop(server);
	server = NULL;
	frames_close(&frames);
	return 0;
}

/* The newest model's file, as `topi model export` gives it. Owns: the caller closes it. */
static struct safetensors *newest(void)
{
	char path[100], name[20];
	struct safetensors *file = NULL;
	struct err err = {0};
	snprintf(path, sizeof path, "%s/newest.safetensors", frames.dir);
	unlink(path);
	snprintf(name, sizeof name, "m%d", (int)sql("SELECT max(id) FROM model"));
	const char *args[] = {"topi", "model", "export", frames.dir, "p", name, "--out", path, NULL};
	assert_int_equal(frames_wait(frames_start(&frames, args)), 0);
	check_status(safetensors_open(path, &file, &err), &err);
	return file;
}

static double head_size(const struct safetensors *file)
{
	const struct safetensors_tensor *head = safetensors_find(file, "fc.weight");
	float *weights = xmalloc((size_t)head->n * sizeof *weights);
	double sum = 0;
	assert_int_equal(safetensors_floats(head, weights, NULL), OK);
	for (int64_t i = 0; i < head->n; i++)
		sum += pow((double)weights[i], 2);
	free(weights);
	return sqrt(sum);
}

/* A ridge of 1000 leaves next to nothing of the head, and the file tells it. */
static void a_recipe_tells_in_the_model(void **state)
{
	(void)state;
	char recipe[100];
	double size[2];
	snprintf(recipe, sizeof recipe, "%s", write_text("recipe.json", "{\"l2\": 1000}"));
	for (int i = 0; i < 2; i++) {
		const char *args[] = {"topi", "train", frames.dir, "p", "--from", "start", "--device",
			"cpu", "--json", i ? "--recipe" : NULL, recipe, NULL};
		assert_int_equal(frames_wait(frames_start(&frames, args)), 0);
		struct safetensors *file = newest();
		const char *told = safetensors_metadata(file, "recipe");
		assert_non_null(strstr(told, i ? "\"l2\":1000.0" : "\"l2\":0.001"));
		size[i] = head_size(file);
		safetensors_close(file);
	}
	assert_true(size[1] > 0 && size[1] < 0.01 * size[0]);
}

static int64_t queue_training(const char *recipe)
{
	const char *args[] = {"topi", "train", frames.dir, "p", "--arch", "resnet10s", "--epochs", "10",
		"--seed", "3", "--recipe", recipe, "--device", "cpu", "--queue", NULL};
	assert_int_equal(frames_wait(frames_start(&frames, args)), 0);
	return sql("SELECT max(id) FROM job");
}

static pid_t start_worker(const char *name)
{
	const char *args[] = {"topi", "worker", server_url(server), "--token-file", token_file,
		"--device", "cpu", "--name", name, "--quiet", "--once", NULL};
	return frames_start(&frames, args);
}

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Runs a worker until it ends. Returns the fewest epochs that the job was told meanwhile. */
static int fewest_epochs(const char *name, int64_t job)
{
	int least = EPOCHS, status = 0;
	pid_t pid = start_worker(name);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		int n = (int)sql("SELECT n_done FROM job WHERE id = %d", (int)job);
		least = n < least ? n : least;
		wait_ms(20);
	}
	assert_int_equal(status, 0);
	assert_int_equal(sql("SELECT state = 'done' FROM job WHERE id = %d", (int)job), 1);
	return least;
}

static void a_terminated_training_goes_on(void **state)
{
	(void)state;
	char recipe[100], checkpoint[200];
	struct err err = {0};
	struct server_options options = {.dir = frames.dir, .listen = "127.0.0.1:0"};
	check_status(server_start(&options, &server, &err), &err);
	snprintf(recipe, sizeof recipe, "%s",
		write_text("recipe.json", "{\"rule\": \"adamw\", \"batch\": 16, \"mixup\": 0.3}"));
	int64_t job = queue_training(recipe);
	snprintf(
		checkpoint, sizeof checkpoint, "%s/cache/topi/train-%d.checkpoint", frames.dir, (int)job);
	pid_t pid = start_worker("first");
	int n_seen = 0, n_waited = 0;
	while (n_seen < STOP_AFTER && n_waited++ < PATIENCE_MS / 20) {
		wait_ms(20);
		n_seen = (int)sql("SELECT n_done FROM job WHERE id = %d", (int)job);
	}
	assert_in_range(n_seen, STOP_AFTER, EPOCHS - 1);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(frames_wait(pid), 0);
	assert_int_equal(access(checkpoint, F_OK), 0);
	assert_int_equal(sql("SELECT count(*) FROM model"), 1);
	assert_int_equal(sql("SELECT state = 'running' FROM job WHERE id = %d", (int)job), 1);
	assert_true(fewest_epochs("second", job) >= STOP_AFTER);
	assert_int_not_equal(access(checkpoint, F_OK), 0);
	assert_int_equal(fewest_epochs("third", queue_training(recipe)), 0);
	assert_int_equal(sql("SELECT count(*) FROM model WHERE id <> %d", (int)frames.model), 2);
	assert_int_equal(
		sql("SELECT count(DISTINCT sha256) FROM model WHERE id <> %d", (int)frames.model), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_recipe_tells_in_the_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_terminated_training_goes_on, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
