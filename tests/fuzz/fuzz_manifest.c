/* Any bytes as a manifest: rows that can be looked up, or mistakes that are told. */
#include "fuzz.h"
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

const int fuzz_with_jpegs = 0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct manifest *m = NULL;
	struct manifest_errors errors = {0};
	struct err err = {0};
	FILE *in = fmemopen((void *)(uintptr_t)data, n ? n : 1, "r");
	if (!in || n == 0) {
		if (in)
			fclose(in);
		return 0;
	}
	enum status st = manifest_read(in, "fuzz.csv", &m, &errors, &err);
	fclose(in);
	if ((st == OK) != (m != NULL) || (st == BAD_INPUT) != (errors.n_kept > 0) ||
		(st != OK && !err.text[0]))
		abort();
	for (size_t i = 0; m && i < m->n_rows; i++) {
		const struct manifest_row *row = &m->rows[i];
		if (manifest_find(m, row->file) != row || row->file[0] == '/' || strstr(row->file, "//"))
			abort();
	}
	manifest_free(m);
	manifest_errors_release(&errors);
	return 0;
}

size_t fuzz_seed(int i, uint8_t *out, size_t room)
{
	static const char *const seeds[] = {
		"file,deployment,timestamp,event,latitude,longitude,label,note\n"
		"a/1.jpg,a,2024-05-01T10:00:00+02:00,e1,-2.5,34.25,zebra,wet\n"
		"a/2.jpg,a,2024-05-01 10:00:01,e1,-2.5,34.25,,\"a \"\"quoted\"\" one\"\n",
		"\xef\xbb\xbfLabel,FILE\r\n,./b//c.jpg\r\nblank,d.jpg\r\n",
		"file\n\"two\nlines.jpg\"\n\n../up.jpg\n/root.jpg\nC:\\x.jpg\n",
	};
	if (i >= (int)(sizeof seeds / sizeof *seeds))
		return 0;
	size_t n = strlen(seeds[i]) < room ? strlen(seeds[i]) : room;
	memcpy(out, seeds[i], n);
	return n;
}
