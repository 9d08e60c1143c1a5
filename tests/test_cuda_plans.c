/* labels: unit; timeout: 300 */
/*
 * That cuDNN has engines, and makes plans, for every convolution of the nets in every direction and
 * number that the CUDA module uses, for a card that is described and not here. The engines' run is for
 * test_cuda_card.c.
 */
#include "plan.h"
#include "net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A large Hopper card's properties. */
static const char card[] =
	"{\"deviceVer\":900,\"driverVer\":13000,\"cudaDeviceId\":0,\"totalGlobalMem\":150000000000,"
	"\"multiProcessorCount\":132,\"maxGridSize\":[2147483647,65535,65535],"
	"\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,\"smClockRateKHz\":1980000,"
	"\"memClockRateKHz\":3201000,\"l2CacheSize\":62914560,\"warpSize\":32,"
	"\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":232448,"
	"\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"pciDeviceId\":0,"
	"\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"isTccDriver\":0,"
	"\"supportCoopLaunch\":1,\"deviceName\":\"a card\"}";

static void expect_plan(
	cudnnBackendDescriptor_t described, const struct net *net, int layer, struct plan_shape shape)
{
	const struct net_layer *l = &net->layers[layer];
	char why[200] = "";
	shape.c_in = net->acts[l->src].c == 3 ? 4 : net->acts[l->src].c;
	shape.h_in = shape.w_in = net->acts[l->src].h;
	shape.c_out = net->acts[l->dst].c;
	shape.h_out = shape.w_out = net->acts[l->dst].h;
	shape.kernel = l->kernel;
	shape.stride = l->stride;
	shape.pad = l->pad;
	shape.relu = shape.kind == PLAN_FUSED && l->relu;
	shape.adds = shape.kind == PLAN_FUSED && l->add >= 0;
	struct plan_list *list = plan_list_new(NULL, described, &shape);
	int i = 0;
	while (i < plan_count(list) && !plan_ready(list, i, (size_t)1 << 30))
		i++;
	if (i >= plan_count(list)) {
		cudnnGetLastErrorString(why, sizeof why);
		fail_msg("%s layer %d, kind %d, type %d, batch %d: no plan: %s", net->arch->name, layer,
			(int)shape.kind, (int)shape.type, shape.n, why);
	}
	plan_list_free(list);
}

static void every_convolution_has_a_plan(void **state)
{
	(void)state;
	static const struct {
		enum plan_kind kind;
		cudnnDataType_t type;
		int is_exact, repeats;
	} uses[] = {
		{PLAN_FUSED, CUDNN_DATA_HALF, 0, 0},
		{PLAN_FUSED, CUDNN_DATA_FLOAT, 1, 0},
		{PLAN_FORWARD, CUDNN_DATA_BFLOAT16, 0, 1},
		{PLAN_DATA, CUDNN_DATA_BFLOAT16, 0, 1},
		{PLAN_WEIGHTS, CUDNN_DATA_BFLOAT16, 0, 1},
		{PLAN_FORWARD, CUDNN_DATA_FLOAT, 1, 1},
		{PLAN_DATA, CUDNN_DATA_FLOAT, 1, 1},
		{PLAN_WEIGHTS, CUDNN_DATA_FLOAT, 1, 1},
	};
	static const char *const names[] = {"resnet10s", "resnet18", "resnet50"};
	cudnnBackendDescriptor_t described = plan_describe(card);
	assert_non_null(described);
	for (size_t a = 0; a < sizeof names / sizeof *names; a++) {
		static struct net net;
		const struct net_arch *arch = net_arch_find(names[a]);
		assert_int_equal(net_init(&net, arch, 10, arch->input_px, NULL), OK);
		for (int i = 0; i < net.n_layers; i++)
			for (size_t u = 0; u < sizeof uses / sizeof *uses && net.layers[i].kind == NET_CONV;
				 u++) {
				if (uses[u].kind == PLAN_DATA && net.layers[i].src == 0)
					continue;
				expect_plan(described, &net, i,
					(struct plan_shape){.kind = uses[u].kind,
						.n = uses[u].kind == PLAN_FUSED ? 256 : 32,
						.type = uses[u].type,
						.is_exact = uses[u].is_exact,
						.repeats = uses[u].repeats});
			}
	}
	cudnnBackendDestroyDescriptor(described);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_convolution_has_a_plan)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
