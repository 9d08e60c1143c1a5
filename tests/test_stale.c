/* labels: unit sql; timeout: 120 */
/*
 * Photographs that come after a model has spoken: what it said of fewer frames is forgotten and made again, what a label
 * stands on stays, and every import sees to the prediction of what it stored.
 */
#include "job.h"
#include "model.h"
#include "prediction.h"
#include "support_command.h"
#include "support_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IS(value, ...) assert_int_equal(test_sql(&w->p, __VA_ARGS__), value)

static void must(enum status st, const struct err *err)
{
	if (st != OK)
		fail_msg("%s", err->text);
}

/* One event a deployment, of two frames; returns the subject. */
static int64_t two_frames(struct import_world *w, const char *deployment)
{
	char name[40];
	snprintf(name, sizeof name, "%s/a.jpg", deployment);
	import_photo(w, name, 0);
	snprintf(name, sizeof name, "%s/b.jpg", deployment);
	import_photo(w, name, 50);
	import_well(w);
	return test_sql(&w->p, "SELECT max(id) FROM subject");
}

static void third_frame(struct import_world *w, const char *deployment)
{
	char name[40];
	snprintf(name, sizeof name, "%s/c.jpg", deployment);
	import_photo(w, name, 25);
}

/* ---- what is forgotten, and what stays */

#define LABEL "label_id = 2, p_label = .9, decided_by = "

static const struct row {
	const char *name;
	bool kept;
	const char
		*sql; /* the subject's state before the frame comes; $: the subject; NULL: as predicted */
} rows[] = {
	{"open", false, NULL},
	{"shadow", false, "UPDATE subject SET blind = 1 WHERE id = $"},
	{"auto", true,
		"UPDATE subject SET state = 'retired', reason = 'certificate', " LABEL
		"'model' WHERE id = $"},
	{"audited", true,
		"UPDATE subject SET blind = 1, reason = 'certificate', " LABEL "'model' WHERE id = $"},
	{"people", true,
		"UPDATE subject SET state = 'retired', reason = 'risk', " LABEL "'people' WHERE id = $"},
	{"expert", true, "UPDATE subject SET state = 'expert', reason = 'cap' WHERE id = $"},
	{"revoked", true,
		"INSERT INTO label_event (subject_id, at_ms, what, reason, n_answers, prediction_id) "
		"SELECT id, 1, 'reopened', 'revoked', 0, prediction_id FROM subject WHERE id = $"},
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static void run_for(struct import_world *w, const char *sql, int64_t subject)
{
	char text[500];
	const char *at = strchr(sql, '$');
	snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - sql), sql, (long long)subject, at + 1);
	test_sql(&w->p, "%s", text);
}

static void labels_keep_what_they_stand_on(void **state)
{
	struct import_world *w = *state;
	int64_t ids[N_ROWS], predictions[N_ROWS];
	int n_forgotten = 0;
	for (int i = 0; i < N_ROWS; i++)
		ids[i] = two_frames(w, rows[i].name);
	test_model(&w->p, 3);
	test_sql(&w->p, "UPDATE model SET w0 = 0, w1 = 1");
	for (int i = 0; i < N_ROWS; i++) {
		test_predict(&w->p, ids[i], 1, 0.7, 10);
		predictions[i] = test_sql(
			&w->p, "SELECT prediction_id FROM subject WHERE id = %d", (int)ids[i]);
		assert_true(predictions[i] > 0);
		if (rows[i].sql)
			run_for(w, rows[i].sql, ids[i]);
		third_frame(w, rows[i].name);
		n_forgotten += !rows[i].kept;
	}
	import_well(w);
	assert_int_equal(w->result.n_new, N_ROWS);
	assert_int_equal(w->result.n_subjects, 0);
	for (int i = 0; i < N_ROWS; i++) {
		int n = (int)test_sql(
			&w->p, "SELECT count(*) FROM prediction WHERE id = %d", (int)predictions[i]);
		int64_t used = test_sql(
			&w->p, "SELECT COALESCE(prediction_id, 0) FROM subject WHERE id = %d", (int)ids[i]);
		if (n != rows[i].kept || used != (rows[i].kept ? predictions[i] : 0))
			fail_msg("%s: %d predictions, %lld in use", rows[i].name, n, (long long)used);
		IS(3, "SELECT count(*) FROM media WHERE subject_id = %d", (int)ids[i]);
	}
	IS(1, "SELECT count(*) FROM job");
	IS(n_forgotten, "SELECT n_total FROM job WHERE state = 'queued' AND model_id = %d",
		(int)w->p.model_id);
	IS(0, "SELECT count(*) FROM pragma_foreign_key_check");
}

/* What is left is the evidence of people alone, as of a subject that no model has seen. */
static void an_open_subject_is_decided_again(void **state)
{
	struct import_world *w = *state;
	int64_t seen = two_frames(w, "seen"), unseen = two_frames(w, "unseen");
	test_model(&w->p, 3);
	test_sql(&w->p, "UPDATE model SET w0 = 0, w1 = 1");
	test_predict(&w->p, seen, 1, 0.7, 10);
	test_must_answer(&w->p, seen, 0, 2, 20);
	test_must_answer(&w->p, unseen, 1, 2, 20);
	const char *same =
		"SELECT count(DISTINCT risk) = 1 AND count(DISTINCT priority) = 1 AND total(n_answers) = 2 "
		"AND total(state = 'open') = 2 FROM subject";
	IS(0, "%s", same);
	third_frame(w, "seen");
	import_well(w);
	IS(1, "%s", same);
	test_predict(&w->p, seen, 1, 0.7, 30);
	IS(0, "%s", same);
	IS(1, "SELECT prediction_id IS NOT NULL FROM subject WHERE id = %d", (int)seen);
}

static void a_frame_that_cannot_be_read_is_not_the_last_word(void **state)
{
	struct import_world *w = *state;
	int64_t id = two_frames(w, "D");
	test_model(&w->p, 3);
	test_sql(&w->p, "INSERT INTO prediction_problem VALUES (%d, %d, 'no JPEG')", (int)id,
		(int)w->p.model_id);
	third_frame(w, "D");
	import_well(w);
	IS(0, "SELECT count(*) FROM prediction_problem");
	IS(1, "SELECT n_total FROM job");
}

static void nothing_is_half_forgotten(void **state)
{
	struct import_world *w = *state;
	enum status st = FULL;
	int64_t id = two_frames(w, "D");
	test_model(&w->p, 3);
	test_sql(&w->p, "UPDATE model SET w0 = 0, w1 = 1");
	test_predict(&w->p, id, 1, 0.7, 10);
	third_frame(w, "D");
	long nth = 0;
	while (st != OK) {
		db_fail_step(++nth, FULL);
		st = import_again(w);
		db_fail_step(0, OK);
		if (st == OK)
			break;
		assert_int_equal(st, FULL);
		IS(2, "SELECT count(*) FROM media");
		IS(1, "SELECT count(*) FROM prediction p JOIN subject s ON s.prediction_id = p.id");
		IS(0, "SELECT count(*) FROM job");
		assert_true(nth < 300);
	}
	assert_true(nth > 20);
	IS(3, "SELECT count(*) FROM media");
	IS(0, "SELECT count(*) FROM prediction");
	IS(1, "SELECT count(*) FROM job");
}

/* ---- jobs */

static struct job_lease take(struct import_world *w, const char *worker, int n)
{
	struct job_lease lease;
	must(db_begin(w->p.db, &w->err), &w->err);
	must(job_take(w->p.db, worker, n, 5000, &lease, &w->err), &w->err);
	must(db_commit(w->p.db, &w->err), &w->err);
	return lease;
}

static const float logits[3] = {1, 2, 0};

/* The results of a batch as it is described now; every subject's frames and whether it has an embedding are added up. */
static int results_of(struct import_world *w, const struct job_lease *lease, struct job_result *out,
	int *n_frames, int *n_embeddings)
{
	static const char *const embeddings[] = {"", "", "\0\0\0\2", "\0\0\0\3"};
	static const char *const texts[] = {"", "", "AAAAAg==", "AAAAAw=="}; /* the same in base64 */
	json_t *job = NULL;
	must(job_describe(w->p.db, lease, &job, &w->err), &w->err);
	json_t *subjects = json_object_get(job, "subjects"), *one;
	size_t i;
	*n_frames = *n_embeddings = 0;
	json_array_foreach(subjects, i, one)
	{
		int n = (int)json_array_size(json_object_get(one, "frames"));
		bool known = json_is_string(json_object_get(one, "embedding"));
		*n_frames += n;
		*n_embeddings += known;
		out[i] = (struct job_result){.subject_id = json_integer_value(json_object_get(one, "id")),
			.n_frames = n,
			.logits = logits,
			.n_logits = 3,
			.embedding = known ? NULL : embeddings[n],
			.n_embedding_bytes = known ? 0 : 4};
		if (known)
			assert_string_equal(json_string_value(json_object_get(one, "embedding")), texts[n]);
	}
	int n = (int)json_array_size(subjects);
	json_decref(job);
	return n;
}

static int store(
	struct import_world *w, const struct job_lease *lease, const struct job_result *results, int n)
{
	int n_stored = 0;
	must(db_begin(w->p.db, &w->err), &w->err);
	must(job_store(w->p.db, lease->job_id, lease->batch_id, results, n, 6000, &n_stored, &w->err),
		&w->err);
	must(db_commit(w->p.db, &w->err), &w->err);
	return n_stored;
}

/* Takes, describes and stores one batch. Returns its subjects. */
static int predict_batch(struct import_world *w, int n_max, int *n_frames, int *n_embeddings)
{
	struct job_result results[16];
	struct job_lease lease = take(w, "w", n_max);
	if (!lease.job_id)
		return 0;
	int n = results_of(w, &lease, results, n_frames, n_embeddings);
	assert_int_equal(store(w, &lease, results, n), n);
	return n;
}

static void a_result_of_fewer_frames_is_not_stored(void **state)
{
	struct import_world *w = *state;
	struct job_result old[16], new[16];
	int n_frames = 0, n_embeddings = 0;
	bool cancel = false;
	test_model(&w->p, 3);
	two_frames(w, "A");
	two_frames(w, "B");
	two_frames(w, "C");
	IS(1, "SELECT count(*) FROM job WHERE state = 'queued' AND n_total = 3");
	struct job_lease a = take(w, "a", 2);
	int n = results_of(w, &a, old, &n_frames, &n_embeddings);
	assert_int_equal(n, 2);
	assert_int_equal(n_frames, 4);
	third_frame(w, "B");
	import_well(w);
	IS(1, "SELECT count(*) FROM job WHERE state = 'running' AND n_total = 3");
	assert_int_equal(
		job_heartbeat(w->p.db, a.job_id, "a", a.batch_id, NULL, 5001, &cancel, &w->err), CONFLICT);
	assert_int_equal(store(w, &a, old, n), 0);
	IS(0, "SELECT count(*) FROM prediction");
	struct job_lease b = take(w, "b", 16);
	n = results_of(w, &b, new, &n_frames, &n_embeddings);
	assert_int_equal(n, 3);
	assert_int_equal(n_frames, 7);
	assert_int_equal(store(w, &a, old, 2), 0); /* and it comes again */
	assert_int_equal(store(w, &b, new, n), 3);
	IS(1, "SELECT count(*) FROM job WHERE state = 'done' AND n_done = 3");
	IS(7, "SELECT total(n_frames) FROM prediction");
	assert_int_equal(take(w, "b", 16).job_id, 0);
}

static void a_running_job_comes_back(void **state)
{
	struct import_world *w = *state;
	struct job_result held[16], rest[16];
	int n_frames = 0, n_embeddings = 0;
	test_model(&w->p, 3);
	int64_t first = two_frames(w, "A");
	two_frames(w, "B");
	two_frames(w, "C");
	assert_int_equal(predict_batch(w, 1, &n_frames, &n_embeddings), 1);
	struct job_lease a = take(w, "a", 1);
	assert_int_equal(results_of(w, &a, held, &n_frames, &n_embeddings), 1);
	third_frame(w, "A");
	two_frames(w, "D");
	IS(0, "SELECT count(*) FROM prediction WHERE subject_id = %d", (int)first);
	IS(1, "SELECT count(*) FROM job"); /* the one that runs will do */
	IS(5, "SELECT n_total FROM job");  /* A twice */
	struct job_lease b = take(w, "b", 16);
	int n = results_of(w, &b, rest, &n_frames, &n_embeddings);
	assert_int_equal(n_frames, 9);
	assert_int_equal(store(w, &a, held, 1), 1); /* B is not concerned: its holder's result counts */
	assert_int_equal(store(w, &b, rest, n), 3);
	IS(1, "SELECT count(*) FROM job WHERE state = 'done' AND n_done = 5");
	IS(4, "SELECT count(*) FROM prediction");
	IS(3, "SELECT n_frames FROM prediction WHERE subject_id = %d", (int)first);
}

static void embeddings_are_of_all_frames(void **state)
{
	struct import_world *w = *state;
	int n_frames = 0, n_embeddings = 0;
	int64_t job = 0;
	test_model(&w->p, 3);
	int64_t first = w->p.model_id;
	two_frames(w, "open");
	int64_t retired = two_frames(w, "retired");
	assert_int_equal(predict_batch(w, 16, &n_frames, &n_embeddings), 2);
	assert_int_equal(n_embeddings, 0);
	test_model(&w->p, 3); /* of the same backbone */
	must(job_add_predict(w->p.db, w->p.model_id, false, 7000, &job, &w->err), &w->err);
	struct job_lease lease = take(w, "w", 1);
	struct job_result results[16];
	results_of(w, &lease, results, &n_frames, &n_embeddings);
	assert_int_equal(n_embeddings, 1); /* the head alone would do */
	test_sql(&w->p,
		"UPDATE subject SET state = 'retired', reason = 'risk', " LABEL "'people' WHERE id = %d",
		(int)retired);
	third_frame(w, "open");
	third_frame(w, "retired");
	import_well(w);
	assert_int_equal(predict_batch(w, 16, &n_frames, &n_embeddings), 2);
	assert_int_equal(n_frames, 6);
	assert_int_equal(n_embeddings, 0); /* both have a frame that no embedding knows */
	assert_int_equal(take(w, "w", 16).job_id, 0);
	must(job_add_predict(w->p.db, first, false, 8000, &job, &w->err), &w->err);
	assert_int_equal(predict_batch(w, 16, &n_frames, &n_embeddings), 1);
	assert_int_equal(n_embeddings, 1); /* there is a new one */
	IS(1, "SELECT count(*) FROM prediction WHERE subject_id = %d AND n_frames = 2", (int)retired);
}

static void every_import_sees_to_its_prediction(void **state)
{
	struct import_world *w = *state;
	int n_frames = 0, n_embeddings = 0;
	two_frames(w, "A");
	IS(0, "SELECT count(*) FROM job"); /* no model is current */
	test_model(&w->p, 3);
	import_well(w);
	IS(0, "SELECT count(*) FROM job"); /* nothing new */
	two_frames(w, "B");
	two_frames(w, "C");
	IS(1, "SELECT count(*) FROM job WHERE state = 'queued' AND n_total = 3");
	assert_int_equal(predict_batch(w, 16, &n_frames, &n_embeddings), 3);
	two_frames(w, "D");
	IS(1, "SELECT count(*) FROM job WHERE state = 'queued' AND n_total = 1");
	test_model(&w->p, 3); /* another is current now */
	two_frames(w, "E");
	IS(5, "SELECT n_total FROM job WHERE state = 'queued' AND model_id = %d", (int)w->p.model_id);
}

/* ---- the program */

static void make_model(const char *path)
{
	static const char *const codes[] = {"blank", "animal1", "animal2"};
	struct err err = {0};
	struct model *model = NULL;
	must(model_new("resnet10s", codes, 3, 64, 1, &model, &err), &err);
	model_set(model, "backbone", model->backbone);
	must(model_save(model, path, NULL, &err), &err);
	model_free(model);
}

#define WELL(line, ...)                                                                            \
	do {                                                                                           \
		if (command(TOPI " " line " 2>&1", __VA_ARGS__) != 0)                                      \
			fail_msg("%s", command_out);                                                           \
	} while (0)

static void a_worker_looks_again(void **state)
{
	struct import_world *w = *state;
	struct import_world real = {
		0}; /* what test_sql wants of the data directory that commands make */
	char file[200];
	snprintf(real.p.dir, sizeof real.p.dir, "%.50s/data", w->p.dir);
	snprintf(file, sizeof file, "%s/m.safetensors", w->p.dir);
	const char *dir = real.p.dir;
	command_init(dir);
	make_model(file);
	import_photo(w, "D/a.jpg", 0);
	import_photo(w, "D/b.jpg", 50);
	WELL("import %s p %s --utc-offset Z", dir, w->photos);
	WELL("model import %s p %s --name m", dir, file);
	WELL("model promote %s p m", dir);
	WELL("predict %s p --device=cpu", dir);
	assert_int_equal(test_sql(&real.p, "SELECT n_frames FROM prediction"), 2);
	third_frame(w, "D");
	WELL("import %s p %s", dir, w->photos);
	assert_int_equal(test_sql(&real.p, "SELECT count(*) FROM prediction"), 0);
	assert_int_equal(test_sql(&real.p, "SELECT count(*) FROM job WHERE state = 'queued'"), 1);
	WELL("predict %s p --device cpu", dir);
	assert_int_equal(test_sql(&real.p, "SELECT n_frames FROM prediction"), 3);
	assert_int_equal(test_sql(&real.p, "SELECT count(*) FROM job WHERE state <> 'done'"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(f) cmocka_unit_test_setup_teardown(f, import_world_open, import_world_close)
		ROW(labels_keep_what_they_stand_on),
		ROW(an_open_subject_is_decided_again),
		ROW(a_frame_that_cannot_be_read_is_not_the_last_word),
		ROW(nothing_is_half_forgotten),
		ROW(a_result_of_fewer_frames_is_not_stored),
		ROW(a_running_job_comes_back),
		ROW(embeddings_are_of_all_frames),
		ROW(every_import_sees_to_its_prediction),
		ROW(a_worker_looks_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
