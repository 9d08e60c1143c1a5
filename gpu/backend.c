/* Which backend runs a net. CUDA's is a library beside the program, so that the program itself
 * starts on a machine without CUDA. */
#include "backend.h"

#include "backend_cards.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A machine with a card may lack oneDNN (tools/gpu-check.sh). */
#ifdef TOPI_NO_ONEDNN
static const struct backend *const cpu = &backend_reference;
#else
static const struct backend *const cpu = &backend_onednn;
#endif

static enum status load_cuda(const struct backend **out, struct err *err)
{
	static const struct backend *loaded;
	char path[4096];
	if (loaded) {
		*out = loaded;
		return OK;
	}
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	path[n < 0 ? 0 : n] = 0;
	char *slash = strrchr(path, '/');
	size_t at = slash ? (size_t)(slash - path) + 1 : 0;
	snprintf(path + at, sizeof path - at, "libtopi_cuda.so");
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(err, NOT_FOUND, "no CUDA here: %.150s", dlerror());
	const struct backend *found = dlsym(library, "topi_backend");
	if (!found || found->abi != BACKEND_ABI) {
		dlclose(library);
		return err_set(err, NOT_FOUND, "%.120s is of another version: build it again", path);
	}
	*out = loaded = found;
	return OK;
}

/* NULL in *out: the device is "auto". */
static enum status find(
	const char *device, const struct backend **out, int *number, struct err *err)
{
	*number = 0;
	*out = NULL;
	if (!device || !strcmp(device, "auto"))
		return OK;
	if (!strcmp(device, "cpu")) {
		*out = cpu;
		return OK;
	}
	if (!strcmp(device, "reference")) {
		*out = &backend_reference;
		return OK;
	}
	if (!strcmp(device, "cuda") || !strcmp(device, "cuda:all"))
		return load_cuda(out, err);
	if (!strncmp(device, "cuda:", 5)) {
		char *end;
		long n = strtol(device + 5, &end, 10);
		if (device[5] >= '0' && device[5] <= '9' && !*end && n < 1024) {
			*number = (int)n;
			return load_cuda(out, err);
		}
	}
	return err_set(err, BAD_INPUT,
		"device %.40s: wanted auto, cpu, cuda, cuda:N, cuda:all or reference", device);
}

enum status backend_open(const char *device, const struct backend_config *config,
	const struct backend **out, void **handle, struct err *err)
{
	struct backend_config chosen = *config;
	enum status status = find(device, out, &chosen.device, err);
	if (status)
		return status;
	if (device && !strcmp(device, "cuda:all"))
		return backend_cards_open(*out, &chosen, out, handle, err);
	if (!*out) {
		struct err ignored;
		if (!load_cuda(out, &ignored) && !(*out)->open(&chosen, handle, &ignored))
			return OK;
		*out = cpu;
	}
	return (*out)->open(&chosen, handle, err);
}

int backend_is_cpu(const struct backend *backend)
{
	return backend == cpu || backend == &backend_reference;
}

enum status backend_rank_id(const char *device, void *id, size_t *n, struct err *err)
{
	const struct backend *backend = NULL;
	int number;
	*n = 0;
	enum status status = find(device, &backend, &number, err);
	if (status || !backend || !backend->new_id)
		return status;
	status = backend->new_id(id, err);
	*n = status ? 0 : BACKEND_RANKS_ID_BYTES;
	return status;
}
