/* The oneDNN backend: opening and closing, and the pool. The library's team of threads belongs to
 * the thread that calls it, so one thread does. */
#include "backend_onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void onednn_attempt(struct onednn_pool *pool, dnnl_status_t status, const char *what)
{
	if (status != dnnl_success && pool->failed == dnnl_success) {
		pool->failed = status;
		pool->failed_at = what;
	}
}

enum status onednn_pool_check(const struct onednn_pool *pool, struct err *err)
{
	if (pool->failed == dnnl_success)
		return OK;
	return err_set(
		err, FAULT, "oneDNN cannot make %s (its status %d)", pool->failed_at, (int)pool->failed);
}

void onednn_pool_release(struct onednn_pool *pool)
{
	for (int i = 0; i < pool->n_primitives; i++)
		dnnl_primitive_destroy(pool->primitives[i]);
	for (int i = 0; i < pool->n_descs; i++)
		dnnl_primitive_desc_destroy(pool->descs[i]);
	for (int i = 0; i < pool->n_memories; i++)
		dnnl_memory_destroy(pool->memories[i]);
	for (int i = 0; i < pool->n_buffers; i++)
		munmap(pool->buffers[i].at, pool->buffers[i].n_bytes);
	free(pool->primitives);
	free(pool->descs);
	free(pool->memories);
	free(pool->buffers);
	*pool = (struct onednn_pool){.engine = pool->engine};
}

float *onednn_buffer(struct onednn_pool *pool, size_t n_floats)
{
	size_t n_bytes = (n_floats * sizeof(float) + 4095) / 4096 * 4096;
	if (pool->failed != dnnl_success)
		return NULL;
	void *at = mmap(
		NULL, n_bytes ? n_bytes : 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		onednn_attempt(pool, dnnl_out_of_memory, "a buffer");
		return NULL;
	}
	if (n_bytes >= 2u << 20)
		madvise(
			at, n_bytes, MADV_HUGEPAGE); /* page faults cost more than the arithmetic otherwise */
	pool->buffers = xrealloc(pool->buffers, (size_t)(pool->n_buffers + 1) * sizeof *pool->buffers);
	pool->buffers[pool->n_buffers++] = (struct onednn_buffer){at, n_bytes ? n_bytes : 4096};
	return at;
}

dnnl_memory_t onednn_memory(struct onednn_pool *pool, const dnnl_memory_desc_t *md, void *at)
{
	dnnl_memory_t memory = NULL;
	if (pool->failed != dnnl_success || !md)
		return NULL;
	if (!at)
		at = onednn_buffer(pool, dnnl_memory_desc_get_size(md) / sizeof(float) + 1);
	onednn_attempt(pool, dnnl_memory_create(&memory, md, pool->engine, at), "a memory");
	if (!memory)
		return NULL;
	pool->memories = xrealloc(
		pool->memories, (size_t)(pool->n_memories + 1) * sizeof(dnnl_memory_t));
	pool->memories[pool->n_memories++] = memory;
	return memory;
}

void *onednn_memory_data(dnnl_memory_t memory)
{
	void *at = NULL;
	if (memory)
		dnnl_memory_get_data_handle(memory, &at);
	return at;
}

const dnnl_memory_desc_t *onednn_memory_md(dnnl_memory_t memory)
{
	const dnnl_memory_desc_t *md = NULL;
	if (memory)
		dnnl_memory_get_memory_desc(memory, &md);
	return md;
}

dnnl_memory_desc_t onednn_md4(
	struct onednn_pool *pool, int n, int c, int h, int w, dnnl_format_tag_t tag)
{
	return onednn_md4_of(pool, dnnl_f32, (dnnl_dims_t){n, c, h, w}, tag);
}

dnnl_memory_desc_t onednn_md4_of(
	struct onednn_pool *pool, dnnl_data_type_t type, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
	dnnl_memory_desc_t md = {0};
	onednn_attempt(pool, dnnl_memory_desc_init_by_tag(&md, 4, dims, type, tag), "a layout");
	return md;
}

dnnl_memory_desc_t onednn_md1(struct onednn_pool *pool, int n)
{
	dnnl_memory_desc_t md = {0};
	onednn_attempt(
		pool, dnnl_memory_desc_init_by_tag(&md, 1, (dnnl_dims_t){n}, dnnl_f32, dnnl_x), "a layout");
	return md;
}

dnnl_memory_desc_t onednn_weights_md(
	struct onednn_pool *pool, const struct net_param *weight, dnnl_format_tag_t tag)
{
	const int *s = weight->shape;
	return onednn_md4(pool, s[0], s[1], s[2], s[3], tag);
}

dnnl_primitive_desc_t onednn_desc(struct onednn_pool *pool, const void *op_desc,
	dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint, const char *what)
{
	dnnl_primitive_desc_t desc = NULL;
	if (pool->failed != dnnl_success)
		return NULL;
	onednn_attempt(
		pool, dnnl_primitive_desc_create(&desc, op_desc, attr, pool->engine, hint), what);
	if (!desc)
		return NULL;
	pool->descs = xrealloc(
		pool->descs, (size_t)(pool->n_descs + 1) * sizeof(dnnl_primitive_desc_t));
	pool->descs[pool->n_descs++] = desc;
	return desc;
}

const dnnl_memory_desc_t *onednn_query(
	struct onednn_pool *pool, dnnl_primitive_desc_t desc, dnnl_query_t what)
{
	return pool->failed == dnnl_success ? dnnl_primitive_desc_query_md(desc, what, 0) : NULL;
}

void onednn_op_init(struct onednn_pool *pool, struct onednn_op *op, dnnl_primitive_desc_t desc)
{
	*op = (struct onednn_op){0};
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool, dnnl_primitive_create(&op->primitive, desc), "a primitive");
	if (!op->primitive)
		return;
	pool->primitives = xrealloc(
		pool->primitives, (size_t)(pool->n_primitives + 1) * sizeof(dnnl_primitive_t));
	pool->primitives[pool->n_primitives++] = op->primitive;
}

void onednn_op_arg(struct onednn_op *op, int arg, dnnl_memory_t memory)
{
	op->args[op->n_args++] = (dnnl_exec_arg_t){arg, memory};
}

void onednn_op_reorder(
	struct onednn_pool *pool, struct onednn_op *op, dnnl_memory_t from, dnnl_memory_t to)
{
	dnnl_primitive_desc_t desc = NULL;
	*op = (struct onednn_op){0};
	if (pool->failed != dnnl_success)
		return;
	onednn_attempt(pool,
		dnnl_reorder_primitive_desc_create(
			&desc, onednn_memory_md(from), pool->engine, onednn_memory_md(to), pool->engine, NULL),
		"a reorder");
	onednn_op_init(pool, op, desc);
	if (desc)
		dnnl_primitive_desc_destroy(desc);
	onednn_op_arg(op, DNNL_ARG_FROM, from);
	onednn_op_arg(op, DNNL_ARG_TO, to);
}

void onednn_conv_init(struct onednn_pool *pool, struct onednn_conv *conv, const struct net *net,
	int layer, int batch, dnnl_format_tag_t tag)
{
	const struct net_layer *l = &net->layers[layer];
	const struct net_act *in = &net->acts[l->src], *out = &net->acts[l->dst];
	conv->layer = l;
	conv->src = onednn_md4(pool, batch, in->c, in->h, in->w, l->src ? tag : dnnl_nchw);
	conv->weights = onednn_weights_md(pool, &net->params[l->weight], dnnl_format_tag_any);
	conv->dst = onednn_md4(pool, batch, out->c, out->h, out->w, tag);
}

dnnl_primitive_desc_t onednn_conv_forward(struct onednn_pool *pool, const struct onednn_conv *conv,
	dnnl_prop_kind_t prop, const dnnl_memory_desc_t *bias, dnnl_primitive_attr_t attr)
{
	const struct net_layer *l = conv->layer;
	dnnl_convolution_desc_t desc;
	onednn_attempt(pool,
		dnnl_convolution_forward_desc_init(&desc, prop, dnnl_convolution_auto, &conv->src,
			&conv->weights, bias, &conv->dst, (dnnl_dims_t){l->stride, l->stride},
			(dnnl_dims_t){l->pad, l->pad}, (dnnl_dims_t){l->pad, l->pad}),
		"a convolution");
	return onednn_desc(pool, &desc, attr, NULL, "a convolution");
}

static int has_isa(dnnl_cpu_isa_t wanted)
{
	return (dnnl_get_effective_cpu_isa() & wanted) == wanted;
}

/* The first for which the library does not fall back to its reference code. Blocks of 16 channels
 * go first, for Winograd's sake, except where there are matrix tiles (AMX), which take plain nhwc. */
dnnl_format_tag_t onednn_choose_tag(dnnl_engine_t engine, dnnl_data_type_t type)
{
	static const dnnl_format_tag_t tags[] = {dnnl_nChw16c, dnnl_nChw8c, dnnl_nhwc, dnnl_nchw};
	size_t n_tags = sizeof tags / sizeof *tags;
	int has_tiles = type == dnnl_bf16 && has_isa(dnnl_cpu_isa_avx512_core_amx);
	for (size_t i = has_tiles ? 2 : 0; i < n_tags; i++) {
		struct onednn_pool pool = {.engine = engine};
		const char *name = "ref";
		struct net_layer layer = {.kernel = 3, .stride = 1, .pad = 1};
		struct onednn_conv conv = {.layer = &layer,
			.src = onednn_md4_of(&pool, type, (dnnl_dims_t){1, 64, 14, 14}, tags[i]),
			.weights = onednn_md4_of(&pool, type, (dnnl_dims_t){64, 64, 3, 3}, dnnl_format_tag_any),
			.dst = onednn_md4_of(&pool, type, (dnnl_dims_t){1, 64, 14, 14}, tags[i])};
		dnnl_primitive_desc_t desc = onednn_conv_forward(
			&pool, &conv, dnnl_forward_training, NULL, NULL);
		if (desc)
			dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
		int is_fast = strncmp(name, "ref", 3) != 0;
		onednn_pool_release(&pool);
		if (is_fast)
			return tags[i];
	}
	return dnnl_nchw;
}

enum status onednn_run(
	const struct onednn *o, const struct onednn_op *ops, int n_ops, struct err *err)
{
	for (int i = 0; i < n_ops; i++) {
		dnnl_status_t status = dnnl_primitive_execute(
			ops[i].primitive, o->stream, ops[i].n_args, ops[i].args);
		if (status != dnnl_success)
			return err_set(err, FAULT, "oneDNN: step %d of %d failed with its status %d", i, n_ops,
				(int)status);
	}
	dnnl_stream_wait(o->stream);
	return OK;
}

static void onednn_close(void *handle)
{
	struct onednn *o = handle;
	if (!o)
		return;
	onednn_infer_free(o);
	onednn_train_free(o);
	if (o->stream)
		dnnl_stream_destroy(o->stream);
	if (o->engine)
		dnnl_engine_destroy(o->engine);
	free(o->params);
	free(o);
}

/* bf16 where the processor multiplies it: without that it is slower than single, not faster. */
static enum status choose_precision(enum backend_precision wanted, int *is_half, struct err *err)
{
	int can_half = has_isa(dnnl_cpu_isa_avx512_core_bf16);
	if (wanted == BACKEND_HALF && !can_half)
		return err_set(err, BAD_INPUT,
			"this processor has no bf16 (AVX-512 BF16 or AMX): half precision is not to be had");
	*is_half = wanted != BACKEND_SINGLE && can_half;
	return OK;
}

static enum status onednn_open(const struct backend_config *config, void **handle, struct err *err)
{
	struct onednn *o = xcalloc(1, sizeof *o);
	size_t n_bytes = config->net->n_floats * sizeof *o->params;
	enum status status = OK;
	if (config->threads > 0)
		omp_set_num_threads(config->threads);
	o->net = config->net;
	memcpy(o->mean, config->mean, sizeof o->mean);
	memcpy(o->std, config->std, sizeof o->std);
	o->params = xmalloc(n_bytes);
	memcpy(o->params, config->params, n_bytes);
	if (dnnl_engine_create(&o->engine, dnnl_cpu, 0) != dnnl_success ||
		dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags) != dnnl_success) {
		status = err_set(err, FAULT, "oneDNN does not start on this processor");
		goto done;
	}
	o->tag = onednn_choose_tag(o->engine, dnnl_f32);
	status = choose_precision(config->precision, &o->is_half, err);
	if (!status && config->train_batch > 0)
		status = onednn_train_new(o, config, err);
done:
	if (status) {
		onednn_close(o);
		return status;
	}
	*handle = o;
	return OK;
}

static enum status infer(
	void *handle, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	return onednn_infer(handle, rgb, n, logits, embeddings, err);
}

static enum status features(void *handle, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	return onednn_features(handle, rgb, n, planes, err);
}

static enum status train_step(void *handle, struct backend_step *step, struct err *err)
{
	struct onednn *o = handle;
	if (!o->trainer)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	onednn_infer_free(o);
	return onednn_train_step(o, step, err);
}

static enum status read_state(void *handle, enum backend_state which, float *out, struct err *err)
{
	struct onednn *o = handle;
	const float *from = which == BACKEND_LIVE ? o->params : onednn_train_state(o, which);
	if (!from)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	memcpy(out, from, o->net->n_floats * sizeof *out);
	return OK;
}

static enum status write_state(
	void *handle, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	struct onednn *o = handle;
	float *to = onednn_train_state(o, which);
	if (!to)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	onednn_infer_free(o);
	memcpy(to, in, o->net->n_floats * sizeof *in);
	onednn_train_set_steps(o, n_steps);
	return OK;
}

const struct backend backend_onednn = {
	.abi = BACKEND_ABI,
	.name = "onednn",
	.open = onednn_open,
	.infer = infer,
	.features = features,
	.train_step = train_step,
	.read_state = read_state,
	.write_state = write_state,
	.close = onednn_close,
};
