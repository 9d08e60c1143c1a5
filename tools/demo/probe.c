/* How far mean colour alone gets on the deployment that was kept out: it should not get far. */
#include "scenes.h"

#include "taxa.h"
#include "truth.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

enum { N_FEATURES = 4, N_STEPS = 3000 }; /* mean red, green, blue, and one */

struct sample {
	double x[N_FEATURES];
	int taxon, deployment;
};

struct guard {
	struct jpeg_error_mgr base;
	jmp_buf back;
};

static void on_jpeg_error(j_common_ptr jpeg)
{
	longjmp(((struct guard *)jpeg->err)->back, 1);
}

static enum status mean_colour(const char *path, double *rgb, struct err *err)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return err_set(err, NOT_FOUND, "cannot read %s: %m", path);
	struct jpeg_decompress_struct jpeg;
	struct guard guard;
	jpeg.err = jpeg_std_error(&guard.base);
	guard.base.error_exit = on_jpeg_error;
	jpeg_create_decompress(&jpeg);
	if (setjmp(guard.back)) {
		jpeg_destroy_decompress(&jpeg);
		fclose(file);
		return err_set(err, BAD_INPUT, "%s is not a whole JPEG", path);
	}
	jpeg_stdio_src(&jpeg, file);
	jpeg_read_header(&jpeg, TRUE);
	jpeg.scale_denom = 8;
	jpeg.out_color_space = JCS_RGB;
	jpeg_start_decompress(&jpeg);
	JSAMPARRAY row = (*jpeg.mem->alloc_sarray)(
		(j_common_ptr)&jpeg, JPOOL_IMAGE, jpeg.output_width * 3, 1);
	double sum[3] = {0};
	while (jpeg.output_scanline < jpeg.output_height) {
		jpeg_read_scanlines(&jpeg, row, 1);
		for (JDIMENSION i = 0; i < jpeg.output_width * 3; i++)
			sum[i % 3] += row[0][i];
	}
	for (int c = 0; c < 3; c++)
		rgb[c] = sum[c] / ((double)jpeg.output_width * jpeg.output_height);
	jpeg_finish_decompress(&jpeg);
	jpeg_destroy_decompress(&jpeg);
	fclose(file);
	return OK;
}

struct set {
	struct sample *samples;
	int n, last; /* last: the highest deployment number */
};

static enum status load(struct set *set, const char *dir, const char *path, struct err *err)
{
	struct truth truth;
	enum status status = truth_load(&truth, path, err);
	set->samples = xcalloc((size_t)truth.n * TRUTH_MAX_FILES, sizeof *set->samples);
	for (int i = 0; status == OK && i < truth.n; i++) {
		const struct truth_row *row = &truth.rows[i];
		for (int f = 0; status == OK && f < row->n_files; f++) {
			struct sample *s = &set->samples[set->n++];
			*s = (struct sample){.taxon = row->taxon, .deployment = row->deployment};
			s->x[3] = 1.0;
			char file[4096];
			snprintf(file, sizeof file, "%s/%s", dir, row->files[f]);
			status = mean_colour(file, s->x, err);
		}
		set->last = row->deployment > set->last ? row->deployment : set->last;
	}
	truth_release(&truth);
	return status;
}

/* Mean 0, deviation 1 by the training deployments. */
static void standardise(struct set *set)
{
	for (int c = 0; c < 3; c++) {
		double n = 0, sum = 0, square = 0;
		for (int i = 0; i < set->n; i++)
			if (set->samples[i].deployment != set->last) {
				n++;
				sum += set->samples[i].x[c];
				square += set->samples[i].x[c] * set->samples[i].x[c];
			}
		double mean = sum / fmax(n, 1), sd = sqrt(fmax(square / fmax(n, 1) - mean * mean, 1e-9));
		for (int i = 0; i < set->n; i++)
			set->samples[i].x[c] = (set->samples[i].x[c] - mean) / sd;
	}
}

static void probabilities(double w[N_TAXA][N_FEATURES], const double *x, double *p)
{
	double top = -INFINITY, sum = 0;
	for (int t = 0; t < N_TAXA; t++) {
		p[t] = 0;
		for (int f = 0; f < N_FEATURES; f++)
			p[t] += w[t][f] * x[f];
		top = fmax(top, p[t]);
	}
	for (int t = 0; t < N_TAXA; t++)
		sum += p[t] = exp(p[t] - top);
	for (int t = 0; t < N_TAXA; t++)
		p[t] /= sum;
}

static void fit(const struct set *set, double w[N_TAXA][N_FEATURES])
{
	for (int step = 0; step < N_STEPS; step++) {
		double gradient[N_TAXA][N_FEATURES] = {{0}}, n = 0;
		for (int i = 0; i < set->n; i++) {
			const struct sample *s = &set->samples[i];
			if (s->deployment == set->last)
				continue;
			double p[N_TAXA];
			probabilities(w, s->x, p);
			for (int t = 0; t < N_TAXA; t++)
				for (int f = 0; f < N_FEATURES; f++)
					gradient[t][f] += (p[t] - (t == s->taxon)) * s->x[f];
			n++;
		}
		for (int t = 0; t < N_TAXA; t++)
			for (int f = 0; f < N_FEATURES; f++)
				w[t][f] -= gradient[t][f] / fmax(n, 1);
	}
}

enum status probe_run(const char *dir, const char *truth_path, double *accuracy_out,
	double *commonest_out, struct err *err)
{
	struct set set = {0};
	enum status status = load(&set, dir, truth_path, err);
	if (status == OK && set.n == 0)
		status = err_set(err, BAD_INPUT, "%s names no photograph", truth_path);
	if (status == OK) {
		double w[N_TAXA][N_FEATURES] = {{0}};
		standardise(&set);
		fit(&set, w);
		int n = 0, right = 0, of[N_TAXA] = {0}, most = 0;
		for (int i = 0; i < set.n; i++) {
			const struct sample *s = &set.samples[i];
			if (s->deployment != set.last)
				continue;
			double p[N_TAXA];
			probabilities(w, s->x, p);
			int best = 0;
			for (int t = 1; t < N_TAXA; t++)
				best = p[t] > p[best] ? t : best;
			n++;
			right += best == s->taxon;
			of[s->taxon]++;
		}
		for (int t = 0; t < N_TAXA; t++)
			most = of[t] > most ? of[t] : most;
		*accuracy_out = (double)right / n;
		*commonest_out = (double)most / n;
	}
	free(set.samples);
	return status;
}
