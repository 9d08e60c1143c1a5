/*
 * A small project in a data directory under /tmp, for tests of the domain: K taxa (the first is blank), deployments and
 * subjects of one frame each, and a model row without a file.
 */
#pragma once

#include "classification.h"

struct test_project {
	char dir[64];
	struct db *db;
	int64_t id, model_id;
	int k, model_k;
	int64_t taxa[16];
	int64_t volunteers[64];
	int n_subjects;
	int64_t first_subject; /* ids run on from here */
};

/* `policy` is JSON text, or NULL for the defaults. Stops the test on failure. */
void test_project_open(
	struct test_project *t, int k, int n_deployments, int n_subjects, const char *policy);
void test_project_close(struct test_project *t);

/* SQL that a test states itself; one number of its first row, or -1 where there is none. */
int64_t test_sql(struct test_project *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
double test_real(struct test_project *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A model whose head knows the first `k` taxa with an even prior, promoted. */
void test_model(struct test_project *t, int k);
/* A prediction that puts p on class `top` and shares the rest, in the transaction that has begun or one of its own. */
void test_predict(struct test_project *t, int64_t subject, int top, double p, int64_t now_ms);
/* Leases the subject to volunteer v and answers it; class -1: "can't tell". Returns the status of the answer. */
enum status test_answer(
	struct test_project *t, int64_t subject, int v, int class, int64_t now_ms, struct err *err);
/* The same with an answer of the test's own making; its uuid, project, subject and volunteer are filled in. */
enum status test_answer_with(struct test_project *t, int64_t subject, int v,
	struct classification answer, int64_t now_ms, struct err *err);
/* Leases and answers {classes}; several of them make the subject one of several species. Stops the test unless it is OK. */
void test_must_answer_set(
	struct test_project *t, int64_t subject, int v, const int *classes, int n);
/* The same, and stops the test unless it is OK. */
void test_must_answer(struct test_project *t, int64_t subject, int v, int class, int64_t now_ms);
/* A subject's "state", "by" (who decided) or "reason", until the next call. */
const char *test_text(struct test_project *t, const char *column, int64_t subject);
/* The UUID of the nth answer that test_answer has given. */
void test_uuid(int64_t n, uint8_t out[16]);
extern int64_t test_n_answers;
