/*
 * bench_crowds FILE.csv...: public answer sets with a truth column, a row each and their mean: accuracy, log-loss and calibration
 * error of the full refit, of Dawid and Skene's method and of majority, and what stopping early takes: answers are read in the
 * file's order by the online model, and a task wants no more of them at a risk of tau.
 */
#include "answers_file.h"
#include "confusion.h"
#include "dawid_skene.h"
#include "online.h"
#include "refit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OURS, DAWID_SKENE, MAJORITY, EARLY, N_METHODS, BINS = 10, LEAST_ANSWERS = 3 };
static const double tau = 0.05;
static const double least_p =
	1e-6; /* what a method that is wrong and certain pays in log-loss: 13.8 */

struct score {
	double accuracy, log_loss, calibration_error;
	/* of EARLY */
	double answers, of_answers;
};

/* Posteriors q [n x k] against truth; the calibration error over ten bins of the label's probability. */
static struct score score(const struct answers *answers, const int16_t *truth, const double *q)
{
	struct score s = {0};
	const int k = answers->k;
	double right[BINS] = {0}, promised[BINS] = {0}, n = 0.0;
	for (size_t i = 0; i < answers->n_subjects; i++) {
		if (truth[i] == REFIT_NO_GOLD)
			continue;
		const double *p = q + i * (size_t)k;
		const int label = consensus_argmax(p, k);
		const int bin = p[label] >= 1.0 ? BINS - 1 : (int)(p[label] * BINS);
		right[bin] += label == truth[i];
		promised[bin] += p[label];
		s.accuracy += label == truth[i];
		s.log_loss -= log(fmax(p[truth[i]], least_p));
		n++;
	}
	for (int bin = 0; bin < BINS; bin++)
		s.calibration_error += fabs(right[bin] - promised[bin]) / n;
	s.accuracy /= n;
	s.log_loss /= n;
	return s;
}

static enum status run_ours(const struct answers *answers, double *q, struct err *err)
{
	const struct refit_input input = {.answers = answers, .fits_own_prior = true, .n_threads = 1};
	struct refit *refit = NULL;
	struct refit_report report;
	enum status status = refit_new(&input, &refit, err);
	if (status == OK)
		status = refit_run(refit, label_params.iter, 1e-4, &report, err);
	for (size_t i = 0; status == OK && i < answers->n_subjects; i++)
		status = refit_decide(refit, i, (struct correlation){.kappa = label_params.kd},
			q + i * (size_t)answers->k, err);
	refit_free(refit);
	return status;
}

struct early {
	struct online online;
	struct online_subject **open; /* NULL before the first answer and when retired */
	bool *is_retired;
	int *n_used, *n_labels; /* by subject; by class */
	long n_answers, n_retired;
};

/* What a live project does every 200 retirements: the pool and the class prior from what is known. */
static enum status remix(struct early *e, struct err *err)
{
	for (int z = 0; z < e->online.k; z++)
		e->online.log_pi[z] = log((e->n_labels[z] + 1.0) / ((double)e->n_retired + e->online.k));
	return online_remix(&e->online, err);
}

static enum status take(struct early *e, const struct answer *a, double *q, struct err *err)
{
	const size_t i = a->subject;
	int label;
	double risk;
	if (e->is_retired[i])
		return OK;
	enum status status = e->open[i] ? OK : online_open(&e->online, NULL, NULL, &e->open[i], q, err);
	if (status == OK)
		status = online_answer(&e->online, e->open[i], (int)a->volunteer, (int)a->class, q, err);
	if (status != OK)
		return status;
	e->n_answers++;
	if (++e->n_used[i] < LEAST_ANSWERS || consensus_risk(q, e->online.k) > tau)
		return OK;
	status = online_retire(&e->online, e->open[i], ONLINE_NO_GOLD, &label, &risk, err);
	if (status != OK)
		return status;
	e->open[i] = NULL;
	e->is_retired[i] = true;
	e->n_labels[label]++;
	return ++e->n_retired % 200 == 0 ? remix(e, err) : OK;
}

static enum status run_early(
	const struct answers_file *file, double *q, struct score *out, struct err *err)
{
	const struct answers *answers = &file->answers;
	const size_t k = (size_t)answers->k, n = answers->n_subjects;
	struct early e = {.open = xcalloc(n, sizeof *e.open),
		.is_retired = xcalloc(n, sizeof *e.is_retired),
		.n_used = xcalloc(n, sizeof *e.n_used),
		.n_labels = xcalloc(k, sizeof *e.n_labels)};
	double *counts = xcalloc(k * k, sizeof *counts), *m = xcalloc(k * k, sizeof *m);
	double *pi = xcalloc(k, sizeof *pi);
	for (size_t z = 0; z < k; z++)
		pi[z] = 1.0 / (double)k;
	enum status status = confusion_pool(counts, (int)k, m, err);
	if (status == OK)
		status = online_init(
			&e.online, (int)k, m, pi, (struct correlation){.kappa = label_params.kd}, err);
	for (size_t i = 0; status == OK && i < answers->n_answers; i++)
		status = take(&e, &file->list[i], q + file->list[i].subject * k, err);
	/* What ran out of answers is labelled by what is known at the end. */
	for (size_t i = 0; status == OK && i < n; i++)
		if (e.open[i])
			status = online_posterior(&e.online, e.open[i], q + i * k, err);
	double n_used = 0.0, n_truth = 0.0, n_had = 0.0;
	for (size_t i = 0; i < n; i++) {
		n_used += file->gold[i] != REFIT_NO_GOLD ? e.n_used[i] : 0;
		n_had += file->gold[i] != REFIT_NO_GOLD ? answers_of_subject(answers, i) : 0;
		n_truth += file->gold[i] != REFIT_NO_GOLD;
		online_subject_free(e.open[i]);
	}
	out->answers = n_used / n_truth;
	out->of_answers = n_had / n_truth;
	online_release(&e.online);
	free(e.open);
	free(e.is_retired);
	free(e.n_used);
	free(e.n_labels);
	free(counts);
	free(m);
	free(pi);
	return status;
}

static enum status run_dawid_skene(const struct answers *answers, double *q, struct err *err)
{
	const size_t n = answers->n_subjects * (size_t)answers->k;
	float *shares = xcalloc(n, sizeof *shares);
	enum status status = dawid_skene(answers, NULL, DAWID_SKENE_ROUNDS, shares, err);
	for (size_t i = 0; i < n; i++)
		q[i] = (double)shares[i];
	free(shares);
	return status;
}

static enum status measure(const char *path, struct score *out, struct err *err)
{
	struct answers_file file;
	enum status status = answers_file_load(path, NULL, path, &file, err);
	if (status != OK)
		return status;
	const struct answers *answers = &file.answers;
	const size_t k = (size_t)answers->k;
	double *q = xcalloc(answers->n_subjects * k, sizeof *q);
	for (int method = OURS; status == OK && method < N_METHODS; method++) {
		struct score early = {0};
		if (method == OURS)
			status = run_ours(answers, q, err);
		else if (method == DAWID_SKENE)
			status = run_dawid_skene(answers, q, err);
		else if (method == MAJORITY)
			for (size_t i = 0; i < answers->n_subjects; i++)
				majority_shares(answers, i, q + i * k);
		else
			status = run_early(&file, q, &early, err);
		out[method] = score(answers, file.gold, q);
		out[method].answers = early.answers;
		out[method].of_answers = early.of_answers;
	}
	free(q);
	answers_file_release(&file);
	return status;
}

static void print_row(const char *name, const struct score *s)
{
	printf("| %s |", name);
	for (int method = OURS; method <= MAJORITY; method++)
		printf(" %.4f | %.3f | %.3f |", s[method].accuracy, s[method].log_loss,
			s[method].calibration_error);
	printf(" %.2f of %.2f | %.4f |\n", s[EARLY].answers, s[EARLY].of_answers, s[EARLY].accuracy);
}

int main(int argc, char **argv)
{
	struct score mean[N_METHODS] = {0};
	struct err err;
	puts("| set | ours: accuracy | log-loss | ECE | D&S: accuracy | log-loss | ECE | majority: "
		 "accuracy | log-loss "
		 "| ECE | answers, stopping early | accuracy "
		 "|\n|---|---|---|---|---|---|---|---|---|---|---|---|");
	for (int i = 1; i < argc; i++) {
		struct score s[N_METHODS];
		if (measure(argv[i], s, &err) != OK) {
			fprintf(stderr, "bench_crowds: %s\n", err.text);
			return 1;
		}
		const char *slash = strrchr(argv[i], '/');
		print_row(slash ? slash + 1 : argv[i], s);
		for (int method = OURS; method < N_METHODS; method++) {
			mean[method].accuracy += s[method].accuracy / (argc - 1);
			mean[method].log_loss += s[method].log_loss / (argc - 1);
			mean[method].calibration_error += s[method].calibration_error / (argc - 1);
			mean[method].answers += s[method].answers / (argc - 1);
			mean[method].of_answers += s[method].of_answers / (argc - 1);
		}
	}
	print_row("mean", mean);
	return 0;
}
