/* Imports as tests make them. */
#include "support_import.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int import_world_open(void **state)
{
	struct import_world *w = xcalloc(1, sizeof *w);
	test_project_open(&w->p, 3, 1, 1, NULL);
	test_sql(&w->p, "DELETE FROM media; DELETE FROM subject; DELETE FROM deployment;");
	snprintf(w->photos, sizeof w->photos, "/tmp/topi-photos-XXXXXX");
	assert_non_null(mkdtemp(w->photos));
	w->paths[0] = w->photos;
	w->options = (struct import_options){.paths = w->paths,
		.n_paths = 1,
		.gap_s = -1,
		.crop_bottom_px = -1,
		.utc_offset_s = &w->offset_s,
		.n_threads = 2,
		.now_ms = 1000};
	*state = w;
	return 0;
}

int import_world_close(void **state)
{
	struct import_world *w = *state;
	char command[200];
	import_result_release(&w->result);
	test_project_close(&w->p);
	snprintf(command, sizeof command, "rm -rf %s", w->photos);
	int code = system(command);
	free(w);
	return code;
}

enum status import_again(struct import_world *w)
{
	import_result_release(&w->result);
	w->err = (struct err){0};
	return import_run(w->p.db, w->p.id, &w->options, &w->result, &w->err);
}

void import_well(struct import_world *w)
{
	if (import_again(w) != OK)
		fail_msg("%s", w->err.text);
}

void import_manifest(struct import_world *w, const char *text)
{
	text_write(w->photos, "manifest.csv", text);
	snprintf(w->manifest, sizeof w->manifest, "%s/manifest.csv", w->photos);
	w->options.manifest = w->manifest;
}

void import_photo(struct import_world *w, const char *name, int seconds)
{
	static int seed;
	char time[64];
	snprintf(time, sizeof time, "2024:05:01 %02d:%02d:%02d", 10 + seconds / 3600, seconds / 60 % 60,
		seconds % 60);
	photo_write(w->photos, name, &(struct photo_spec){.time = time, .seed = ++seed});
}

int import_has_problem(const struct import_world *w, const char *file, const char *words)
{
	for (int i = 0; i < w->result.n_problems; i++)
		if (strcmp(w->result.problems[i].file, file) == 0 &&
			strstr(w->result.problems[i].reason, words))
			return 1;
	return 0;
}

static int64_t files;

static int count_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	const char *name = path + at->base;
	if (kind == FTW_F && strncmp(name, "topi.db", 7) != 0 && strncmp(name, "embeddings", 10) != 0)
		files += info->st_size * 1000003 + info->st_mtim.tv_nsec % 100003 + (int64_t)info->st_ino;
	return 0;
}

int64_t import_fingerprint(struct import_world *w)
{
	files = 0;
	assert_int_equal(nftw(w->p.dir, count_file, 16, FTW_PHYS), 0);
	return files * 31 +
		test_sql(&w->p, "%s",
			"SELECT (SELECT 7 * count(*) FROM media) + (SELECT 11 * count(*) + 13 * "
			"total(n_answers) + total(end_ms % 1000003 - start_ms % 1000003) FROM subject)"
			" + (SELECT 17 * count(*) FROM deployment) + (SELECT 19 * count(*) FROM gold)"
			" + (SELECT 23 * count(*) FROM import_problem) + (SELECT 29 * count(*) FROM "
			"label_event)");
}
