/* The card: opening it, its memory, the queue and its lanes, matrix products. */
#include "device_cuda.h"

#include <stdlib.h>

#define OLDEST_MAJOR 8 /* compute capability that the module is compiled for (CMakeLists.txt) */
#define PRODUCT_BYTES ((size_t)32 << 20)
#define WORKSPACE_MOST ((size_t)1 << 30)
#define WORKSPACE_SHARE 16 /* of the card's free memory, at most */

void device_tried(struct device *d, cudaError_t error, const char *what)
{
	if (error == cudaSuccess || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cudaGetErrorString(error));
}

void device_tried_cudnn(struct device *d, cudnnStatus_t status, const char *what)
{
	if (status == CUDNN_STATUS_SUCCESS || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cudnnGetErrorString(status));
}

static void tried_cublas(struct device *d, cublasStatus_t status, const char *what)
{
	if (status == CUBLAS_STATUS_SUCCESS || d->failed)
		return;
	d->failed = 1;
	err_set(&d->failure, FAULT, "cuda:%d: %s: %s", d->number, what, cublasGetStatusString(status));
}

void device_enter(struct device *d)
{
	device_tried(d, cudaSetDevice(d->number), "choosing the card");
}

int device_has_failed(const struct device *d)
{
	return d->failed;
}

enum status device_check(struct device *d, struct err *err)
{
	device_tried(d, cudaStreamSynchronize(d->copies), "copying");
	device_tried(d, cudaStreamSynchronize(d->stream), "running the net");
	if (!d->failed)
		return OK;
	d->failed = 0;
	cudaGetLastError(); /* an allocation that failed is over and done with */
	return err_set(err, d->failure.status, "%s", d->failure.text);
}

int device_count(void)
{
	int n = 0;
	return cudaGetDeviceCount(&n) == cudaSuccess ? n : 0;
}

static enum status check_card(int number, struct err *err)
{
	int n = 0, major = 0, minor = 0;
	cudaError_t error = cudaGetDeviceCount(&n);
	if (error == cudaErrorInsufficientDriver) {
		int driver = 0, wanted = 0;
		cudaDriverGetVersion(&driver);
		cudaRuntimeGetVersion(&wanted);
		if (driver == 0)
			return err_set(err, BAD_INPUT, "cuda was asked for: there is no NVIDIA driver here");
		return err_set(err, BAD_INPUT,
			"cuda was asked for: the driver is for CUDA %d.%d, and %d.%d or later is wanted",
			driver / 1000, driver % 1000 / 10, wanted / 1000, wanted % 1000 / 10);
	}
	if (error != cudaSuccess || n == 0)
		return err_set(err, BAD_INPUT,
			"cuda was asked for: no CUDA device is there (driver says: %s)",
			cudaGetErrorString(error != cudaSuccess ? error : cudaErrorNoDevice));
	if (number < 0 || number >= n)
		return err_set(err, BAD_INPUT,
			"cuda:%d was asked for: the %d CUDA device%s here count%s from cuda:0", number, n,
			n == 1 ? "" : "s", n == 1 ? "s" : "");
	error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number);
	if (error == cudaSuccess)
		error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, number);
	if (error != cudaSuccess)
		return err_set(err, FAULT, "cuda:%d: %s", number, cudaGetErrorString(error));
	if (major < OLDEST_MAJOR)
		return err_set(err, BAD_INPUT,
			"cuda:%d has compute capability %d.%d: at least %d.0 is wanted", number, major, minor,
			OLDEST_MAJOR);
	return OK;
}

static void open_queue(struct device *d)
{
	const unsigned event = cudaEventDisableTiming | cudaEventBlockingSync;
	device_tried(d, cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), "a stream");
	if (!d->failed)
		device_tried(d, cudaStreamCreateWithFlags(&d->copies, cudaStreamNonBlocking), "a stream");
	for (int i = 0; i < DEVICE_LANES && !d->failed; i++) {
		device_tried(d, cudaEventCreateWithFlags(&d->copied[i], event), "an event");
		if (!d->failed)
			device_tried(d, cudaEventCreateWithFlags(&d->done[i], event), "an event");
	}
}

static void open_libraries(struct device *d)
{
	if (!d->failed)
		device_tried_cudnn(d, cudnnCreate(&d->cudnn), "starting cuDNN");
	if (!d->failed)
		device_tried_cudnn(d, cudnnSetStream(d->cudnn, d->stream), "starting cuDNN");
	if (!d->failed)
		tried_cublas(d, cublasCreate(&d->cublas), "starting cuBLAS");
	if (!d->failed)
		tried_cublas(d, cublasSetStream(d->cublas, d->stream), "starting cuBLAS");
	if (!d->failed)
		tried_cublas(d, cublasLtCreate(&d->cublas_lt), "starting cuBLAS");
}

/* With a workspace that is ours, cuBLAS allocates nothing while a graph is recorded, and gives the
 * same bits each time. */
static void open_workspaces(struct device *d)
{
	size_t most = device_room_bytes(d) / WORKSPACE_SHARE;
	most = most < WORKSPACE_MOST ? most : WORKSPACE_MOST;
	d->partials = device_alloc(d, DEVICE_PARTIAL_BYTES, "sums");
	d->product_workspace = device_alloc(d, PRODUCT_BYTES, "cuBLAS' workspace");
	d->product_bytes = PRODUCT_BYTES;
	d->workspace = device_alloc(d, most, "cuDNN's workspace");
	d->workspace_bytes = most;
	if (!d->failed)
		tried_cublas(d, cublasSetWorkspace(d->cublas, d->product_workspace, d->product_bytes),
			"starting cuBLAS");
}

enum status device_open(int number, struct device **out, struct err *err)
{
	enum status status = check_card(number, err);
	if (status)
		return status;
	struct device *d = xcalloc(1, sizeof *d);
	d->number = number;
	device_enter(d);
	open_queue(d);
	open_libraries(d);
	open_workspaces(d);
	status = device_check(d, err);
	if (status) {
		device_close(d);
		return status;
	}
	*out = d;
	return OK;
}

void device_close(struct device *d)
{
	if (!d)
		return;
	device_enter(d);
	if (d->stream)
		cudaStreamSynchronize(d->stream);
	device_ranks_leave(d);
	device_known_free(d);
	cudaFree(d->workspace);
	cudaFree(d->product_workspace);
	cudaFree(d->partials);
	if (d->cublas_lt)
		cublasLtDestroy(d->cublas_lt);
	if (d->cublas)
		cublasDestroy(d->cublas);
	if (d->cudnn)
		cudnnDestroy(d->cudnn);
	for (int i = 0; i < DEVICE_LANES; i++) {
		if (d->copied[i])
			cudaEventDestroy(d->copied[i]);
		if (d->done[i])
			cudaEventDestroy(d->done[i]);
	}
	if (d->copies)
		cudaStreamDestroy(d->copies);
	if (d->stream)
		cudaStreamDestroy(d->stream);
	free(d);
}

void *device_alloc(struct device *d, size_t n_bytes, const char *what)
{
	void *at = NULL;
	if (d->failed)
		return NULL;
	if (n_bytes == 0)
		n_bytes = 1;
	cudaError_t error = cudaMalloc(&at, n_bytes);
	if (error == cudaErrorMemoryAllocation) {
		d->failed = 1;
		err_set(&d->failure, FAULT,
			"cuda:%d has no room for %.0f MB of %s: a smaller batch may fit", d->number,
			(double)n_bytes / 1e6, what);
		return NULL;
	}
	device_tried(d, error, what);
	if (!d->failed)
		device_tried(d, cudaMemsetAsync(at, 0, n_bytes, d->stream), what);
	return at;
}

void device_free(struct device *d, void *at)
{
	device_tried(d, cudaFree(at), "freeing memory");
}

void *device_alloc_host(struct device *d, size_t n_bytes)
{
	void *at = NULL;
	if (!d->failed)
		device_tried(d, cudaMallocHost(&at, n_bytes ? n_bytes : 1), "memory that the card reads");
	return at;
}

void device_free_host(struct device *d, void *at)
{
	if (at)
		device_tried(d, cudaFreeHost(at), "freeing memory");
}

size_t device_room_bytes(struct device *d)
{
	size_t room = 0, total = 0;
	if (!d->failed)
		device_tried(d, cudaMemGetInfo(&room, &total), "asking for free memory");
	return room;
}

static void copy(
	struct device *d, void *to, const void *from, size_t n_bytes, enum cudaMemcpyKind kind)
{
	if (d->failed)
		return;
	device_tried(d, cudaMemcpyAsync(to, from, n_bytes, kind, d->stream), "copying");
	device_tried(d, cudaStreamSynchronize(d->stream), "copying");
}

void device_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
	copy(d, to, from, n_bytes, cudaMemcpyHostToDevice);
}

void device_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	copy(d, to, from, n_bytes, cudaMemcpyDeviceToHost);
}

void device_lane_put(struct device *d, int lane, void *to, const void *from, size_t n_bytes)
{
	if (d->failed)
		return;
	device_tried(
		d, cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, d->copies), "copying");
	device_tried(d, cudaEventRecord(d->copied[lane], d->copies), "copying");
}

void device_lane_use(struct device *d, int lane)
{
	if (!d->failed)
		device_tried(d, cudaStreamWaitEvent(d->stream, d->copied[lane], 0), "copying");
}

void device_lane_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
	if (!d->failed)
		device_tried(
			d, cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToHost, d->stream), "copying");
}

void device_lane_mark(struct device *d, int lane)
{
	if (!d->failed)
		device_tried(d, cudaEventRecord(d->done[lane], d->stream), "running the net");
}

void device_lane_wait(struct device *d, int lane)
{
	if (!d->failed)
		device_tried(d, cudaEventSynchronize(d->done[lane]), "running the net");
}

/* cuBLAS counts by columns, so a row-major product is the turned one of its factors exchanged. */
void device_multiply(struct device *d, const struct device_product *p)
{
	const float one = 1, zero = 0;
	if (d->failed)
		return;
	tried_cublas(d,
		cublasSgemm(d->cublas, p->b_turned ? CUBLAS_OP_T : CUBLAS_OP_N,
			p->a_turned ? CUBLAS_OP_T : CUBLAS_OP_N, p->n, p->m, p->k, &one, p->b,
			p->b_turned ? p->k : p->n, p->a, p->a_turned ? p->m : p->k, &zero, p->c, p->n),
		"a matrix product");
}

struct device_graph {
	struct device *device;
	void (*queue)(void *arg);
	void *arg;
	cudaGraphExec_t exec; /* NULL: not to be recorded */
};

/* A failure while recording is not one of the work: that is queued plainly, and fails then if it
 * must. */
struct device_graph *device_graph_new(struct device *d, void (*queue)(void *arg), void *arg)
{
	cudaGraph_t graph = NULL;
	if (d->failed)
		return NULL;
	struct device_graph *g = xcalloc(1, sizeof *g);
	*g = (struct device_graph){.device = d, .queue = queue, .arg = arg};
	if (cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) {
		d->is_recording = 1;
		queue(arg);
		d->is_recording = 0;
		cudaError_t error = cudaStreamEndCapture(d->stream, &graph);
		if (error == cudaSuccess && graph && !d->failed)
			error = cudaGraphInstantiate(&g->exec, graph, 0);
		if (error != cudaSuccess)
			g->exec = NULL;
		if (graph)
			cudaGraphDestroy(graph);
	}
	d->failed = 0;
	cudaGetLastError();
	return g;
}

void device_graph_run(struct device_graph *g)
{
	struct device *d = g->device;
	if (d->failed)
		return;
	if (g->exec)
		device_tried(d, cudaGraphLaunch(g->exec, d->stream), "running the net");
	else
		g->queue(g->arg);
}

void device_graph_free(struct device_graph *g)
{
	if (!g)
		return;
	if (g->exec) {
		cudaStreamSynchronize(g->device->stream);
		cudaGraphExecDestroy(g->exec);
	}
	free(g);
}
