/* Training steps on nets of random shapes. */
#include "support_steps.h"

#include "support_net.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static int within(uint32_t *state, int low, int high)
{
	return low + (int)(next(state) % (uint32_t)(high - low + 1));
}

static float unit(uint32_t *state)
{
	return (float)next(state) / 16777216.0f;
}

/* 96 px make planes of 3 at the end, an odd size, where batches of 1 are among them; a norm over
 * fewer values than that makes noise of the last digit. */
static void random_net(struct steps *s, uint32_t *state, int n_heads)
{
	static const int kernels[] = {3, 5, 7};
	int heads[3], n_classes = 0;
	s->arch = (struct net_arch){.name = "random",
		.expansion = next(state) % 3 ? 1 : 4,
		.stem_kernel = kernels[next(state) % 3],
		.stem_stride = 2, /* the reference is slow */
		.stem_pool = s->batch == 1 || next(state) % 3,
		.peak_pool = within(state, 0, 1)};
	for (int i = 0; i < 4; i++) {
		s->arch.width[i] = 16 * within(state, 1, s->arch.expansion == 4 ? 1 : 2);
		s->arch.depth[i] = i == 1 ? within(state, 1, 2) : 1;
	}
	s->arch.input_px = s->batch == 1 || s->arch.stem_pool ? 96 : 64;
	for (int h = 0; h < n_heads; h++)
		n_classes += heads[h] = within(state, 2, 7);
	assert_int_equal(net_init(&s->net, &s->arch, n_classes, s->arch.input_px, NULL), OK);
	assert_int_equal(net_set_heads(&s->net, heads, n_heads, NULL), OK);
}

static void random_params(struct steps *s, uint32_t *state)
{
	s->params = malloc(s->net.n_floats * sizeof *s->params);
	net_init_params(&s->net, *state, s->params);
	for (int i = 0; i < s->net.n_params; i++) {
		const struct net_param *p = &s->net.params[i];
		for (size_t j = p->offset; j < p->offset + p->n; j++) {
			if (p->kind == NET_BN_SCALE || p->kind == NET_BN_VAR)
				s->params[j] = 0.5f + unit(state);
			if (p->kind == NET_BN_SHIFT || p->kind == NET_BN_MEAN)
				s->params[j] = 0.4f * unit(state) - 0.2f;
		}
	}
}

/* Patches of one colour: noise alone looks the same to a net whatever its seed, and norms would
 * blow up the digits in which pictures differ. */
static void random_pictures(struct steps *s, uint32_t *state, size_t n_bytes)
{
	enum { PATCH = 8 };
	size_t px = (size_t)s->net.input_px, n_patches = px / PATCH;
	uint8_t *patches = malloc(n_bytes / (PATCH * PATCH));
	for (size_t i = 0; i < n_bytes / (PATCH * PATCH); i++)
		patches[i] = (uint8_t)(next(state) >> 4);
	for (size_t i = 0; i < n_bytes; i++) {
		size_t c = i % 3, x = i / 3 % px, y = i / 3 / px % px, n = i / 3 / px / px;
		s->rgb[i] = patches[((n * n_patches + y / PATCH) * n_patches + x / PATCH) * 3 + c];
	}
	free(patches);
}

struct steps *steps_new(uint32_t seed, int n_heads)
{
	struct steps *s = calloc(1, sizeof *s);
	uint32_t state = seed * 2654435761u + 1;
	s->batch = seed % 4 ? within(&state, 3, 5) : 1;
	random_net(s, &state, n_heads);
	random_params(s, &state);
	size_t n = (size_t)s->batch, k = (size_t)s->net.n_classes;
	size_t n_bytes = n * (size_t)s->net.input_px * (size_t)s->net.input_px * 3;
	s->rgb = malloc(n_bytes);
	s->target = calloc(n * k, sizeof *s->target);
	s->weight = malloc(n * sizeof *s->weight);
	s->layer_rate = malloc((size_t)s->net.n_params * sizeof *s->layer_rate);
	random_pictures(s, &state, n_bytes);
	for (size_t i = 0; i < n; i++) {
		int first = 0;
		s->weight[i] = 0.5f + unit(&state);
		for (int h = 0; h < n_heads; first += s->net.head_size[h++]) {
			if (h > 0 && h == (int)(i % 3))
				continue; /* of this head nothing is known */
			int truth = first + within(&state, 0, s->net.head_size[h] - 1);
			s->target[i * k + (size_t)first] += 0.25f;
			s->target[i * k + (size_t)truth] += 0.75f;
		}
	}
	for (int i = 0; i < s->net.n_params; i++)
		s->layer_rate[i] = 0.25f + unit(&state);
	s->config = (struct backend_config){.net = &s->net,
		.params = s->params,
		.mean = {0.485f, 0.456f, 0.406f},
		.std = {0.229f, 0.224f, 0.225f},
		.train_batch = s->batch};
	s->step = (struct backend_step){.rgb = s->rgb,
		.target = s->target,
		.weight = s->weight,
		.rate = 0.01f,
		.momentum = 0.9f,
		.weight_decay = 0.01f,
		.beta2 = 0.99f,
		.average = 0.5f};
	return s;
}

void steps_free(struct steps *s)
{
	free(s->params);
	free(s->target);
	free(s->weight);
	free(s->layer_rate);
	free(s->rgb);
	free(s);
}

void steps_freeze_below(struct steps *s, const char *name)
{
	int is_trained = 0;
	for (int i = 0; i < s->net.n_params; i++) {
		is_trained |= !strncmp(s->net.params[i].name, name, strlen(name));
		s->layer_rate[i] = is_trained ? 0.5f : 0;
	}
	assert_true(is_trained);
	s->step.layer_rate = s->layer_rate;
}

static enum status read_states(
	const struct backend *backend, void *handle, float *out, size_t n, struct err *err)
{
	enum status status = OK;
	for (int i = 0; i < 4 && !status; i++)
		status = backend->read_state(handle, (enum backend_state)i, out + (size_t)i * n, err);
	return status;
}

/* with_gradient: a caller that asks for it gets all of it, so a frozen part is computed too. */
static enum status run(const struct backend *backend, const struct steps *s, int n,
	int with_gradient, struct steps_result *out, struct err *err)
{
	void *handle = NULL;
	struct backend_step step = s->step;
	*out = (struct steps_result){.states = malloc(4 * s->net.n_floats * sizeof(float)),
		.gradient = calloc(s->net.n_floats, sizeof(float))};
	enum status status = backend->open(&s->config, &handle, err);
	for (int i = 0; i < n && !status; i++) {
		step.gradient = with_gradient && i == n - 1 ? out->gradient : NULL;
		status = backend->train_step(handle, &step, err);
	}
	if (!status)
		status = read_states(backend, handle, out->states, s->net.n_floats, err);
	out->loss = step.loss;
	out->norm = step.norm;
	out->n_right = step.n_right;
	if (handle)
		backend->close(handle);
	return status;
}

enum status steps_run(const struct backend *backend, const struct steps *s, int n,
	struct steps_result *out, struct err *err)
{
	return run(backend, s, n, 1, out, err);
}

void steps_result_release(struct steps_result *r)
{
	free(r->states);
	free(r->gradient);
	*r = (struct steps_result){0};
}

static void must_run(const struct backend *backend, const struct steps *s, int n, int with_gradient,
	struct steps_result *out)
{
	struct err err = {0};
	if (run(backend, s, n, with_gradient, out, &err))
		fail_msg("%s: %s", backend->name, err.text);
}

/* Whether they agree; otherwise what differs is in `said`. */
static bool is_near(const struct steps *s, const struct steps_result *got,
	const struct steps_result *expected, double tolerance, char said[static 80])
{
	static const char *const what[] = {"values", "average", "momentum", "second moment"};
	size_t n = s->net.n_floats;
	*said = '\0';
	if (!(fabs(got->loss - expected->loss) <= tolerance * fabs(expected->loss)))
		snprintf(said, 80, "loss %g, not %g", got->loss, expected->loss);
	if (!(fabs(got->norm - expected->norm) <= 5 * tolerance * fabs(expected->norm)))
		snprintf(said, 80, "norm %g, not %g", got->norm, expected->norm);
	if (got->n_right != expected->n_right)
		snprintf(said, 80, "%d right, not %d", (int)got->n_right, (int)expected->n_right);
	for (size_t i = 0; i < 4; i++) {
		double off = relative_error(got->states + i * n, expected->states + i * n, n);
		if (!(off <= (i < 2 ? 1 : 10) * tolerance))
			snprintf(said, 80, "%s off by %g", what[i], off);
	}
	double off = relative_error(got->gradient, expected->gradient, n);
	if (!(off <= 10 * tolerance))
		snprintf(said, 80, "gradient off by %g", off);
	return !*said;
}

void backend_steps_agree(const struct backend *backend, double tolerance)
{
	static const struct {
		const char *name;
		enum backend_rule rule;
		float clip;
		int is_norm_frozen, n_heads, has_rates;
		const char *freeze_below;
	} rows[] = {
		{"SGD", BACKEND_SGD, 0, 0, 1, 0, NULL},
		{"AdamW", BACKEND_ADAMW, 0, 0, 1, 0, NULL},
		{"clipped", BACKEND_SGD, 0.5f, 0, 1, 0, NULL},
		{"below the clip", BACKEND_SGD, 1e6f, 0, 1, 0, NULL},
		{"frozen norm", BACKEND_SGD, 0, 1, 1, 0, NULL},
		{"heads", BACKEND_SGD, 0, 0, 3, 0, NULL},
		{"rates", BACKEND_SGD, 0, 0, 1, 1, NULL},
		{"the last stage", BACKEND_SGD, 0.5f, 0, 1, 0, "layer4"},
		{"the head", BACKEND_SGD, 0.5f, 1, 2, 0, "fc"},
		{"from inside a block", BACKEND_ADAMW, 0, 1, 1, 0, "layer3.0.bn1"},
		{"everything", BACKEND_ADAMW, 0.5f, 1, 2, 1, NULL},
	};
	/* Where a relu is so near its edge that a processor's rounding decides, another seed has none: a wrong step has no good one. */
	enum { SEEDS = 3 };
	int n_rows = (int)(sizeof rows / sizeof *rows);
	for (int i = 0; i < n_rows; i++) {
		char said[80] = "";
		bool agree = false;
		for (int seed = 0; seed < SEEDS && !agree; seed++) {
			struct steps *s = steps_new((uint32_t)(i + 4 + 100 * seed), rows[i].n_heads);
			struct steps_result got, expected;
			s->step.rule = rows[i].rule;
			s->step.clip = rows[i].clip;
			s->step.is_norm_frozen = rows[i].is_norm_frozen;
			if (rows[i].rule == BACKEND_ADAMW)
				s->step.rate = 1e-3f;
			if (rows[i].has_rates)
				s->step.layer_rate = s->layer_rate;
			if (rows[i].freeze_below)
				steps_freeze_below(s, rows[i].freeze_below);
			must_run(&backend_reference, s, 2, 1, &expected);
			agree = true;
			for (int all = 1; agree && all >= (rows[i].freeze_below ? 0 : 1); all--) {
				must_run(backend, s, 2, all, &got);
				if (!all) /* nobody asked for the gradient: below the frozen there is none */
					memcpy(got.gradient, expected.gradient, s->net.n_floats * sizeof(float));
				agree = is_near(s, &got, &expected, tolerance, said);
				steps_result_release(&got);
			}
			steps_result_release(&expected);
			steps_free(s);
		}
		if (!agree)
			fail_msg("%s: %s", rows[i].name, said);
	}
}

/* What halves round off is large beside what pictures differ in once norms have divided by it, and
 * a pool's largest value may be another: the bounds are wide, and those of frozen norms less so. */
int backend_half_is_near(const struct backend *backend)
{
	for (uint32_t seed = 1; seed <= 4; seed++) {
		struct steps *s = steps_new(seed < 4 ? seed : 5, 2);
		struct steps_result got, expected;
		struct err err = {0};
		s->step.is_norm_frozen = seed % 2;
		must_run(&backend_reference, s, 1, 1, &expected);
		s->config.precision = BACKEND_HALF;
		enum status status = steps_run(backend, s, 1, &got, &err);
		double off = status ? 0 : relative_error(got.gradient, expected.gradient, s->net.n_floats);
		double bound = s->step.is_norm_frozen ? 0.2 : 0.6;
		if (!status && (!(fabs(got.loss - expected.loss) < 0.03 * expected.loss) || !(off < bound)))
			fail_msg(
				"seed %u: loss %g, not %g; gradient off by %g", seed, got.loss, expected.loss, off);
		assert_true(status || off > 1e-3); /* single would be within 1e-5 */
		steps_result_release(&got);
		steps_result_release(&expected);
		steps_free(s);
		if (status) {
			assert_int_equal(status, BAD_INPUT);
			assert_non_null(strstr(err.text, "bf16"));
			return 0;
		}
	}
	return 1;
}

void backend_resumes_to_the_bit(const struct backend *backend, enum backend_precision precision)
{
	for (int rule = BACKEND_SGD; rule <= BACKEND_ADAMW; rule++) {
		struct steps *s = steps_new(6, 1);
		struct steps_result whole, half;
		void *handle = NULL;
		size_t n = s->net.n_floats;
		float *states = malloc(4 * n * sizeof *states);
		s->config.precision = precision;
		s->step.rule = (enum backend_rule)rule;
		s->step.clip = 0.5f;
		must_run(backend, s, 4, 0, &whole);
		must_run(backend, s, 2, 0, &half);
		assert_int_equal(backend->open(&s->config, &handle, NULL), OK);
		for (int i = 0; i < 4; i++)
			assert_int_equal(backend->write_state(handle, (enum backend_state)i,
								 half.states + (size_t)i * n, 2, NULL),
				OK);
		for (int i = 0; i < 2; i++)
			assert_int_equal(backend->train_step(handle, &s->step, NULL), OK);
		assert_int_equal(read_states(backend, handle, states, n, NULL), OK);
		assert_memory_equal(states, whole.states, 4 * n * sizeof *states);
		assert_memory_not_equal(states, half.states, n * sizeof *states);
		backend->close(handle);
		steps_result_release(&whole);
		steps_result_release(&half);
		free(states);
		steps_free(s);
	}
}

void backend_freezes(const struct backend *backend)
{
	struct steps *s = steps_new(2, 1);
	struct steps_result got;
	size_t n = s->net.n_floats;
	steps_freeze_below(s, "layer3");
	must_run(backend, s, 2, 0, &got);
	for (int i = 0; i < s->net.n_params; i++) {
		const struct net_param *p = &s->net.params[i];
		int moved = memcmp(got.states + p->offset, s->params + p->offset, p->n * sizeof(float)) !=
			0;
		int has_momentum = 0;
		for (size_t j = p->offset; j < p->offset + p->n; j++)
			has_momentum |= got.states[2 * n + j] != 0;
		int is_statistic = p->kind == NET_BN_MEAN || p->kind == NET_BN_VAR;
		if (moved != (s->layer_rate[i] != 0) || has_momentum != (moved && !is_statistic))
			fail_msg("%s: moved %d, momentum %d", p->name, moved, has_momentum);
	}
	steps_result_release(&got);
	steps_free(s);
}

/* The other rank is at the end of a socket: each sends its own and adds in the ranks' order. */
struct rank {
	struct backend_ranks ranks;
	int socket, n_sums;
	const struct backend *backend;
	struct steps *steps;
	struct steps_result result;
	enum status status;
};

static int exchange(int fd, const float *mine, float *theirs, size_t n)
{
	size_t n_bytes = n * sizeof *mine, got = 0;
	if (write(fd, mine, n_bytes) != (ssize_t)n_bytes)
		return 0;
	while (got < n_bytes) {
		ssize_t more = read(fd, (char *)theirs + got, n_bytes - got);
		if (more <= 0)
			return 0;
		got += (size_t)more;
	}
	return 1;
}

static enum status sum(void *arg, float *at, size_t n, struct err *err)
{
	enum { PART = 4096 };
	struct rank *r = arg;
	float theirs[PART];
	r->n_sums++;
	for (size_t i = 0; i < n; i += PART) {
		size_t m = n - i < PART ? n - i : PART;
		if (!exchange(r->socket, at + i, theirs, m))
			return err_set(err, FAULT, "the other rank is gone");
		for (size_t j = 0; j < m; j++)
			at[i + j] = r->ranks.rank ? theirs[j] + at[i + j] : at[i + j] + theirs[j];
	}
	return OK;
}

static void *run_rank(void *arg)
{
	struct rank *r = arg;
	r->status = steps_run(r->backend, r->steps, 1, &r->result, NULL);
	return NULL;
}

void backend_ranks_take_the_mean(const struct backend *backend, double tolerance)
{
	struct rank ranks[2] = {0};
	struct steps_result alone[2];
	pthread_t threads[2];
	int sockets[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (int i = 0; i < 2; i++) {
		struct steps *s = steps_new(6, 1);
		if (i) /* another part of the data */
			for (int j = 0; j < s->net.input_px * s->net.input_px; j++)
				s->rgb[j] = (uint8_t)~s->rgb[j];
		s->step.clip = 0.5f;
		s->step.weight_decay = 0;
		must_run(backend, s, 1, 1, &alone[i]);
		ranks[i] = (struct rank){.ranks = {.rank = i, .n_ranks = 2, .sum = sum},
			.socket = sockets[i],
			.backend = backend,
			.steps = s};
	}
	for (int i = 0; i < 2; i++) {
		ranks[i].ranks.arg = &ranks[i];
		ranks[i].steps->config.ranks = &ranks[i].ranks;
		assert_int_equal(pthread_create(&threads[i], NULL, run_rank, &ranks[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	const struct steps *s = ranks[0].steps;
	size_t n = s->net.n_floats;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ranks[i].status, OK);
		assert_true(ranks[i].n_sums > 0);
	}
	for (int i = 0; i < s->net.n_params; i++) { /* statistics are each rank's own */
		const struct net_param *p = &s->net.params[i];
		if (p->kind != NET_BN_MEAN && p->kind != NET_BN_VAR)
			assert_memory_equal(ranks[0].result.states + p->offset,
				ranks[1].result.states + p->offset, p->n * sizeof(float));
	}
	assert_true(ranks[0].result.loss != ranks[1].result.loss);
	float *mean = malloc(n * sizeof *mean);
	for (size_t i = 0; i < n; i++)
		mean[i] = (alone[0].gradient[i] + alone[1].gradient[i]) / 2;
	assert_true(relative_error(alone[0].gradient, mean, n) > 0.1);
	assert_true(relative_error(ranks[0].result.gradient, mean, n) < tolerance);
	free(mean);
	for (int i = 0; i < 2; i++) {
		steps_result_release(&ranks[i].result);
		steps_result_release(&alone[i]);
		steps_free(ranks[i].steps);
		close(sockets[i]);
	}
}

int backend_overfits(const struct backend *backend, enum backend_precision precision)
{
	struct steps *s = steps_new(1, 1);
	struct steps_result first, last;
	struct err err = {0};
	for (int i = 0; i < s->batch * s->net.n_classes; i++)
		s->target[i] = i % s->net.n_classes == i / s->net.n_classes % s->net.n_classes;
	s->config.precision = precision;
	s->step.rule = BACKEND_ADAMW;
	s->step.rate = 0.01f;
	enum status status = steps_run(backend, s, 1, &first, &err);
	if (!status) {
		must_run(backend, s, 40, 0, &last);
		if (!(last.loss < 0.05) || last.n_right != s->batch)
			fail_msg("loss %g after 40 steps, %g at first; %d of %d right", last.loss, first.loss,
				last.n_right, s->batch);
		steps_result_release(&last);
	}
	steps_result_release(&first);
	steps_free(s);
	return status == OK;
}
