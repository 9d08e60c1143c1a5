#include "backend_onednn_gemm.h"

#include <oneapi/dnnl/dnnl.h>

enum status gemm_run(const struct gemm *g, struct err *err)
{
	dnnl_status_t st = dnnl_sgemm(g->a_across ? 'T' : 'N', g->b_across ? 'T' : 'N', g->m, g->n,
		g->k, 1, g->a, g->a_across ? g->m : g->k, g->b, g->b_across ? g->k : g->n, g->beta, g->c,
		g->n);
	return st == dnnl_success ? OK
							  : err_set(err, FAULT, "oneDNN: a product of %d x %d x %d gave %d",
									g->m, g->n, g->k, (int)st);
}
