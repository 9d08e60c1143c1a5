/* The CUDA backend's face: libtopi_cuda.so exports the struct at the end, and nothing else. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

struct pool_shape cuda_pool_shape(const struct net *net, const struct net_layer *layer)
{
	const struct net_act *in = &net->acts[layer->src], *out = &net->acts[layer->dst];
	return (struct pool_shape){.c = in->c,
		.h_in = in->h,
		.w_in = in->w,
		.h_out = out->h,
		.w_out = out->w,
		.kernel = layer->kernel,
		.stride = layer->stride,
		.pad = layer->pad};
}

struct weights_shape cuda_weights_shape(const struct net_param *weights)
{
	size_t c_in = (size_t)weights->shape[1];
	return (struct weights_shape){.n_out = (size_t)weights->shape[0],
		.c_in = c_in,
		.c_wide = c_in == 3 ? 4 : c_in, /* the picture's */
		.taps = (size_t)weights->shape[2] * (size_t)weights->shape[3]};
}

size_t cuda_packed_size(struct weights_shape s)
{
	return s.n_out * s.taps * s.c_wide;
}

static void cuda_close(void *handle)
{
	struct cuda *c = handle;
	if (!c)
		return;
	if (c->device) {
		device_enter(c->device);
		cuda_infer_free(c);
		cuda_train_free(c);
	}
	device_close(c->device);
	free(c->params);
	free(c);
}

static enum status cuda_open(const struct backend_config *config, void **handle, struct err *err)
{
	struct cuda *c = xcalloc(1, sizeof *c);
	size_t n_bytes = config->net->n_floats * sizeof *c->params;
	c->net = config->net;
	c->picture = picture_scale_of(config->mean, config->std);
	c->is_exact = config->precision == BACKEND_SINGLE;
	c->has_ranks = config->ranks && (config->ranks->n_ranks > 1 || config->ranks->nccl_id);
	c->params = xmalloc(n_bytes);
	memcpy(c->params, config->params, n_bytes);
	enum status status = device_open(config->device, &c->device, err);
	if (!status && c->has_ranks)
		status = device_ranks_join(c->device, config->ranks, err);
	if (!status && config->train_batch > 0)
		status = cuda_train_new(c, config->train_batch, err);
	else if (
		!status) /* now, so that who asked for any device gets another where there is no room */
		status = cuda_infer_new(c, err);
	if (status) {
		cuda_close(c);
		return status;
	}
	*handle = c;
	return OK;
}

/* The parameters here are those on the card again. */
static enum status refresh_params(struct cuda *c, struct err *err)
{
	if (!c->params_old)
		return OK;
	enum status status = cuda_train_read(c, BACKEND_LIVE, c->params, err);
	if (!status)
		status = cuda_infer_reload(c, err);
	if (!status)
		c->params_old = 0;
	return status;
}

static enum status infer(
	void *handle, const uint8_t *rgb, int n, float *logits, float *embeddings, struct err *err)
{
	struct cuda *c = handle;
	device_enter(c->device);
	enum status status = refresh_params(c, err);
	return status ? status : cuda_infer(c, rgb, n, logits, embeddings, err);
}

static enum status features(void *handle, const uint8_t *rgb, int n, float *planes, struct err *err)
{
	struct cuda *c = handle;
	device_enter(c->device);
	enum status status = refresh_params(c, err);
	return status ? status : cuda_features(c, rgb, n, planes, err);
}

static enum status train_step(void *handle, struct backend_step *step, struct err *err)
{
	struct cuda *c = handle;
	if (!c->trainer)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	device_enter(c->device);
	c->params_old = 1;
	return cuda_train_step(c, step, err);
}

static enum status read_state(void *handle, enum backend_state which, float *out, struct err *err)
{
	struct cuda *c = handle;
	device_enter(c->device);
	if (c->trainer)
		return cuda_train_read(c, which, out, err);
	if (which != BACKEND_LIVE)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	memcpy(out, c->params, c->net->n_floats * sizeof *out);
	return OK;
}

static enum status write_state(
	void *handle, enum backend_state which, const float *in, int64_t n_steps, struct err *err)
{
	struct cuda *c = handle;
	if (!c->trainer)
		return err_set(err, CONFLICT, "the net was opened for inference only");
	device_enter(c->device);
	c->params_old = 1;
	return cuda_train_write(c, which, in, n_steps, err);
}

extern const struct backend topi_backend;
__attribute__((visibility("default"))) const struct backend topi_backend = {
	.abi = BACKEND_ABI,
	.name = "cuda",
	.open = cuda_open,
	.infer = infer,
	.features = features,
	.train_step = train_step,
	.read_state = read_state,
	.write_state = write_state,
	.close = cuda_close,
	.n_devices = device_count,
	.new_id = device_ranks_id,
};
