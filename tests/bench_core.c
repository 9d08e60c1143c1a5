/*
 * CPU time of what a volunteer waits for, beyond the commit, at the size of the largest projects:
 *   bench_core fill DIR SUBJECTS   makes a data directory with that many subjects and as many stored answers, at most 100,000
 *                                  of them open, 28,000 volunteers, 48 taxa, a heard model, and one volunteer with 10,000 answers
 *                                  (a twentieth of the subjects, where that is less): all to what stands highest in the queue
 *   bench_core fill DIR SUBJECTS ANSWERS_EACH  the same with so many answers a subject, and 2.67 photographs of each
 *   bench_core work DIR ANSWERS    that many tasks and answers with a commit each, then all open subjects are decided again: CPU
 *                                  microseconds a task and an answer, seconds for all, subjects decided, seconds for those
 *   bench_core run DIR             prints microseconds, mean and worst, of the next task for anybody and for that volunteer, of an
 *                                  answer that leaves its subject open, of one that closes it, and of the bare writes of an
 *                                  answer; then how many closed one. The process has given and taken 2,000 before, as a server has
 */
#include "classification.h"
#include "label.h"
#include "prediction.h"
#include "project.h"
#include "skill.h"
#include "task.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { K = 48, CALLS = 2000, CROWD = 28000, OPEN = 100000, OWN = 10000 };

static void must(enum status st, const struct err *err)
{
	if (st == OK)
		return;
	fprintf(stderr, "bench_core: %s\n", err->text);
	exit(1);
}

static void raw(sqlite3 *db, const char *format, ...)
{
	char *error = NULL;
	va_list args;
	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "bench_core: %s: %.200s\n", error, sql);
		exit(1);
	}
	sqlite3_free(sql);
}

/* Indices and triggers slow a bulk load down tenfold: they go, and come back when the rows are there. */
static char *take_aside(sqlite3 *db)
{
	sqlite3_stmt *row = NULL;
	char *again = sqlite3_mprintf("%s", ""), *drop = sqlite3_mprintf("%s", "");
	sqlite3_prepare_v2(db,
		"SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', "
		"'trigger') "
		"AND tbl_name IN ('subject', 'classification')",
		-1, &row, NULL);
	while (sqlite3_step(row) == SQLITE_ROW) {
		again = sqlite3_mprintf("%z%s;", again, sqlite3_column_text(row, 2));
		drop = sqlite3_mprintf(
			"%zDROP %s %s;", drop, sqlite3_column_text(row, 0), sqlite3_column_text(row, 1));
	}
	sqlite3_finalize(row);
	raw(db, "%s", drop);
	sqlite3_free(drop);
	return again;
}

static void add_project(const char *dir)
{
	struct err err = {0};
	struct db *db = NULL;
	int64_t id = 0;
	json_t *taxa = json_array();
	for (int i = 0; i < K; i++) {
		char code[24];
		snprintf(code, sizeof code, i ? "animal%d" : "blank", i);
		json_array_append_new(taxa,
			json_pack("{ss ss ss ss}", "code", code, "kind", i ? "animal" : "blank", "common_name",
				code, "scientific_name", i ? "Genus species" : ""));
	}
	json_t *file = json_pack("{ss ss so s{s[{ss ss}] ss s[s]}}", "slug", "test", "title", "Test",
		"taxa", taxa, "camtrap", "contributors", "title", "Nobody", "role", "contact",
		"samplingDesign", "systematicRandom", "captureMethod", "activityDetection");
	must(db_open(dir, DB_CREATE, &db, &err), &err);
	must(db_run(db, Q_SETTING_PUT, &err, "ss", "secret",
			 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
		&err);
	must(db_begin(db, &err), &err);
	must(project_add(db, file, 1000, &id, &err), &err);
	must(db_commit(db, &err), &err);
	json_decref(file);
	db_close(db);
}

/* Rows of a table n(i), i from 0 on. */
#define ROWS "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %lld - 1) "

/* The model's opinion of every open subject: .7 on a class, the rest on eleven others. */
static void fill_model(sqlite3 *db)
{
	char *classes = sqlite3_mprintf("");
	for (int i = 1; i <= K; i++)
		classes = sqlite3_mprintf(
			"%z%s{\"taxon\":%d,\"prior\":%.9f}", classes, i > 1 ? "," : "[", i, 1.0 / K);
	raw(db,
		"INSERT INTO model (project_id, name, sha256, arch, backbone, classes, state, w0, w1, "
		"rest, n_calibration, created_ms) "
		"VALUES (1, 'm1', zeroblob(32), 'test', 'b', '%z]', 'promoted', 0, 1, 1, 100, 0); "
		"UPDATE project SET model_id = 1",
		classes);
	float p[12];
	for (int i = 0; i < 12; i++)
		p[i] = i ? 0.025f : 0.7f;
	char *top = sqlite3_mprintf("");
	for (int i = 0; i < 12; i++) {
		uint32_t bits, taxon = (uint32_t)i + 2;
		memcpy(&bits, &p[i], sizeof bits);
		for (int b = 0; b < 4; b++)
			top = sqlite3_mprintf("%z%02x", top, taxon >> 8 * b & 255);
		for (int b = 0; b < 4; b++)
			top = sqlite3_mprintf("%z%02x", top, bits >> 8 * b & 255);
	}
	raw(db,
		"INSERT INTO prediction (subject_id, model_id, n_frames, top_id, p_top, top, created_ms) "
		"SELECT id, 1, 1, 2, 0.7, x'%z', 0 FROM subject WHERE state = 'open'; "
		"UPDATE subject SET prediction_id = (SELECT id FROM prediction p WHERE p.subject_id = "
		"subject.id) WHERE state = 'open'",
		top);
}

/* Everybody has answered the first few classes, one in ten all of them: right, and one of its neighbours. */
static void fill_skills(sqlite3 *db)
{
	enum { FEW = 7, TWO_SETS = 2 };
	raw(db,
		"INSERT INTO skill_cell (project_id, volunteer_id, truth_id, answer_id, weight) SELECT 1, "
		"v.id, z.id, a.id, 2.5 FROM volunteer v, taxon z, taxon a WHERE abs(z.id - a.id) < 2 AND "
		"(v.id %% 10 = 0 OR z.id <= %d)",
		FEW);
	for (int all = 0; all < TWO_SETS; all++) {
		struct taxon taxa[K] = {0};
		double rows[K] = {0};
		uint8_t sums[K * SKILL_SUM_BYTES];
		for (int z = 0; z < K; z++) {
			taxa[z].id = z + 1;
			if (all || z < FEW)
				rows[z] = 2.5 * (1 + (z > 0) + (z < K - 1));
		}
		const struct project p = {.k = K, .taxa = taxa};
		const size_t n = skill_pack_rows(&p, rows, sums);
		char hex[2 * sizeof sums + 1];
		for (size_t i = 0; i < n; i++)
			snprintf(hex + 2 * i, 3, "%02x", sums[i]);
		raw(db,
			"INSERT INTO skill (project_id, volunteer_id, lambda, prec, n_credited, row_sums) "
			"SELECT 1, id, 0.1, 5, 300, x'%s' FROM volunteer WHERE (id %% 10 = 0) = %d",
			hex, all);
	}
}

struct size {
	long long subjects;
	int answers_each; /* a subject */
	bool all_media;   /* 3.2 photographs of 1.2 subjects; else one of each open subject */
};

/* Answers to the subjects of a condition; their names are spread over the index, as random ones are. */
static void fill_answers(sqlite3 *db, int answers_each, const char *which)
{
	raw(db,
		ROWS "INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, "
			 "counted, expert, blind, credited, "
			 "policy_id, created_ms, duration_ms) SELECT CAST(printf('%%08x%%08x', (s.id * 100 + "
			 "n.i) * 2654435761 & 4294967295, s.id * 100 + n.i) AS BLOB), 1, s.id, "
			 "1 + (s.id * 7919 + n.i * 3083) %% %d, 'taxa', 1, 0, 0, s.state = 'retired', 1, s.id, "
			 "3000 FROM subject s, n WHERE (n.i = 0 OR s.state <> 'open') AND s.id %% 10 %s 0 "
			 "ORDER BY s.id",
		(long long)answers_each, CROWD, which);
}

/*
 * A volunteer has answered every 28,000th subject or so, mostly right; the skills have the cells that answers leave. Events are a
 * minute apart in each of 225 deployments. A tenth of the answers and the places in the queue come when the indexes are there: a
 * new index has no room in any page, and the next thousands of answers would pay for splitting them.
 */
static void fill_rows(sqlite3 *db, struct size size)
{
	const long long n = size.subjects, n_open = n / 10 < OPEN ? n / 10 : OPEN, every = n / n_open;
	const long long own = n / 20 < OWN ? n / 20 : OWN;
	raw(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000");
	char *again = take_aside(db);
	raw(db, "BEGIN");
	raw(db, ROWS "INSERT INTO volunteer (created_ms) SELECT 0 FROM n", (long long)CROWD + 1);
	raw(db,
		ROWS "INSERT INTO deployment (project_id, name, latitude_deg, longitude_deg, utc_offset_s, "
			 "created_ms) SELECT 1, 'D' || "
			 "i, -2 - i / 1000.0, 34.5, 0, 0 FROM n",
		225LL);
	raw(db,
		ROWS
		"INSERT INTO subject (project_id, deployment_id, start_ms, end_ms, created_ms, n_answers, "
		"risk, priority, state, "
		"label_id, p_label, decided_by, reason, decided_ms, policy_id) SELECT 1, 1 + i %% 225, i * "
		"60000, i * 60000 + 1000, 0, "
		"iif(i %% %lld, %d, 1), 0.3, iif(i %% %lld, (i * 7919 %% 1000003) / 2000006.0, 0.5), iif(i "
		"%% %lld, 'retired', 'open'), iif(i %% "
		"%lld, 1 + i %% %d, NULL), "
		"iif(i %% %lld, 0.99, NULL), iif(i %% %lld, 'people', NULL), iif(i %% %lld, 'risk', NULL), "
		"iif(i %% %lld, 5, NULL), iif(i %% %lld, 1, NULL) FROM n",
		n, every, size.answers_each, every, every, every, K, every, every, every, every, every);
	fill_answers(db, size.answers_each, "<>");
	raw(db, "%s", again);
	sqlite3_free(again);
	fill_answers(db, size.answers_each, "=");
	raw(db, "UPDATE project SET n_taught = (SELECT count(*) FROM subject WHERE state = 'retired')");
	raw(db,
		"UPDATE subject SET priority = ((id - 1) * 7919 %% 1000003) / 2000006.0 WHERE state = "
		"'open'");
	raw(db,
		"INSERT INTO classification (uuid, project_id, subject_id, volunteer_id, answer, counted, "
		"expert, blind, credited, "
		"policy_id, created_ms, duration_ms) SELECT CAST(printf('%%08x%%08x', id * "
		"2246822519 & 4294967295, 3758096384 + id) AS BLOB), 1, id, %d, 'taxa', 1, 0, 0, 0, 1, id, "
		"3000 FROM subject WHERE state = 'open' ORDER BY priority DESC LIMIT %lld",
		CROWD + 1, own);
	raw(db,
		"INSERT INTO annotation (classification_id, taxon_id) SELECT id, "
		"1 + iif(id * 7919 %% 100 < 85, subject_id - 1, id * 31) %% %d FROM classification",
		K);
	raw(db,
		ROWS "INSERT INTO media (project_id, deployment_id, subject_id, sha256, n_bytes, "
			 "file_name, width_px, height_px, "
			 "crop_bottom_px, camera_ms, taken_ms, created_ms) SELECT 1, s.deployment_id, s.id, "
			 "CAST(printf('%%028d%%04d', s.id, n.i) AS BLOB), 1, printf('D%%d/IMG_%%d_%%d.JPG', "
			 "s.deployment_id, s.id, n.i), 640, 480, "
			 "0, s.start_ms + n.i, s.start_ms + n.i, 0 FROM subject s, n WHERE %s ORDER BY s.id",
		size.all_media ? 3LL : 1LL,
		size.all_media ? "n.i < 2 + (s.id % 3 > 0)" : "s.state = 'open'");
	fill_skills(db);
	fill_model(db);
	raw(db, "COMMIT; PRAGMA journal_mode = WAL");
}

static void fill(const char *dir, struct size size)
{
	char path[1000];
	sqlite3 *db = NULL;
	if (size.subjects < 1000 || size.answers_each < 1 || size.answers_each > 90) {
		fputs("bench_core: 1000 subjects at the least, with 1 to 90 answers each\n", stderr);
		exit(2);
	}
	add_project(dir);
	snprintf(path, sizeof path, "%s/topi.db", dir);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(1);
	fill_rows(db, size);
	sqlite3_close(db);
}

static double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

struct cost {
	double sum, worst;
	int n;
};

static void add(struct cost *c, double us)
{
	c->sum += us;
	c->worst = us > c->worst ? us : c->worst;
	c->n++;
}

static int64_t next(struct db *db, int64_t volunteer, int64_t now_ms, struct cost *cost)
{
	struct err err = {0};
	struct task_list list;
	double start = cpu_us();
	must(task_next(db, 1, volunteer, false, 1, now_ms, &list, &err), &err);
	add(cost, cpu_us() - start);
	if (list.n == 0) {
		fprintf(stderr, "bench_core: nothing for volunteer %lld\n", (long long)volunteer);
		exit(1);
	}
	int64_t id = list.tasks[0].subject_id;
	task_list_release(&list);
	return id;
}

/* Spread over the index as random ones are, and unlike those of any second before. */
static void number_uuid(int kind, int n, uint8_t out[16])
{
	char text[17];
	static time_t start;
	start = start ? start : time(NULL);
	snprintf(text, sizeof text, "%08x%08x", ((unsigned)n * 2 + (unsigned)kind) * 2654435761u,
		0xf0000000u | ((unsigned)start & 0xfffffffu));
	memcpy(out, text, 16);
}

static void answer(struct db *db, int64_t volunteer, int64_t subject, int n, int64_t now_ms,
	struct cost *open, struct cost *decided)
{
	struct err err = {0};
	struct classification_result result;
	struct subject after;
	int64_t ms = 3000;
	struct classification c = {.project_id = 1,
		.subject_id = subject,
		.volunteer_id = volunteer,
		.answer = ANSWER_TAXA,
		.taxon_id = 2 + n % 3,
		.duration_ms = &ms};
	number_uuid(0, n, c.uuid);
	double start = cpu_us();
	must(classification_add(db, &c, now_ms, &result, &err), &err);
	double end = cpu_us();
	must(subject_load(db, subject, &after, &err), &err);
	add(after.state == SUBJECT_OPEN ? open : decided, end - start);
}

/* The rows that an answer cannot do without: it, what it says, its lease's end, the subject's new place in the queue. */
static void bare(struct db *db, int64_t volunteer, int64_t subject, int n, struct cost *cost)
{
	struct err err = {0};
	uint8_t uuid[16];
	int64_t ms = 3000;
	number_uuid(1, n, uuid);
	double start = cpu_us();
	must(db_run(db, Q_CLASSIFICATION_ADD, &err, "biiisiiiinIiinnii", uuid, (size_t)16, (int64_t)1,
			 subject, volunteer, "taxa", (int64_t)1, (int64_t)0, (int64_t)0, (int64_t)1, &ms,
			 (int64_t)5, (int64_t)0, (int64_t)0, (int64_t)0),
		&err);
	must(db_run(db, Q_ANNOTATION_ADD, &err, "iins", db_last_id(db), (int64_t)2, "{}"), &err);
	must(db_run(db, Q_TASK_END, &err, "ii", subject, volunteer), &err);
	must(db_run(db, Q_SUBJECT_SET_EVIDENCE, &err, "iiidd", subject, (int64_t)2, (int64_t)0, 0.2,
			 0.2 / 3 + n * 1e-7),
		&err);
	add(cost, cpu_us() - start);
}

/* As the server's writer does it: some answers a transaction, whose commit is not counted. */
static void group(struct db *db, int i)
{
	enum { GROUP = 16 };
	struct err err = {0};
	if (i % GROUP)
		return;
	if (i)
		must(db_commit(db, &err), &err);
	must(db_begin(db, &err), &err);
}

static void run(const char *dir)
{
	struct err err = {0};
	struct db *db = NULL;
	struct cost anybody = {0}, own = {0}, open = {0}, decided = {0}, writes = {0};
	const int64_t start_ms = (int64_t)time(NULL) * 1000;
	must(db_open(dir, DB_WRITE, &db, &err), &err);
	for (int i = 0; i < 3 * CALLS; i++) {
		struct cost cold = {0};
		const bool warm = i >= CALLS;
		int64_t volunteer = 1 + i * 37 % CROWD;
		group(db, i);
		int64_t subject = next(db, volunteer, start_ms + i, warm ? &anybody : &cold);
		if (i % 2)
			answer(db, volunteer, subject, i / 2, start_ms + i, warm ? &open : &cold,
				warm ? &decided : &cold);
		else
			bare(db, volunteer, subject, i, warm ? &writes : &cold);
	}
	/* Each time another task, as the last one is held. */
	for (int i = 0; i < CALLS; i++) {
		next(db, CROWD + 1, start_ms + 10000 + i, &own);
		must(db_run(db, Q_TASK_CLEAN, &err, "i", (int64_t)1 << 60), &err);
	}
	must(db_commit(db, &err), &err);
	db_close(db);
	const struct cost *const all[] = {&anybody, &own, &open, &decided, &writes};
	for (int i = 0; i < 5; i++)
		printf("%.1f %.0f ", all[i]->n ? all[i]->sum / all[i]->n : 0, all[i]->worst);
	printf("%d\n", decided.n);
}

static double wall_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Tasks and answers with a commit each, as the server's writer does them; then every open subject is decided again. */
static void work(const char *dir, int n)
{
	struct err err = {0};
	struct db *db = NULL;
	struct cost asked = {0}, answered = {0};
	int n_swept = 1;
	long long n_decided = 0;
	must(db_open(dir, DB_WRITE, &db, &err), &err);
	double start = wall_s();
	for (int i = 0; i < n; i++) {
		int64_t volunteer = 1 + i * 37 % CROWD;
		must(db_begin(db, &err), &err);
		int64_t subject = next(db, volunteer, 1000 + i, &asked);
		must(db_commit(db, &err), &err);
		must(db_begin(db, &err), &err);
		answer(db, volunteer, subject, i, 1000 + i, &answered, &answered);
		must(db_commit(db, &err), &err);
	}
	double worked = wall_s();
	must(db_begin(db, &err), &err);
	must(db_run(db, Q_PROJECT_MARK_SWEEP, &err, "i", (int64_t)1), &err);
	must(db_commit(db, &err), &err);
	while (n_swept > 0) {
		must(db_begin(db, &err), &err);
		must(prediction_sweep(db, 100, 1000000, &n_swept, &err), &err);
		must(db_commit(db, &err), &err);
		n_decided += n_swept;
	}
	double decided = wall_s();
	db_close(db);
	printf("%.1f %.1f %.2f %lld %.2f\n", asked.sum / asked.n, answered.sum / answered.n,
		worked - start, n_decided, decided - worked);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		fill(argv[2], (struct size){strtoll(argv[3], NULL, 10), 1, false});
	else if (argc == 5 && strcmp(argv[1], "fill") == 0)
		fill(argv[2],
			(struct size){strtoll(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10), true});
	else if (argc == 3 && strcmp(argv[1], "run") == 0)
		run(argv[2]);
	else if (argc == 4 && strcmp(argv[1], "work") == 0)
		work(argv[2], (int)strtol(argv[3], NULL, 10));
	else {
		fputs("usage: bench_core fill DIR SUBJECTS [ANSWERS_EACH] | run DIR | work DIR ANSWERS\n",
			stderr);
		return 2;
	}
	return 0;
}
