/* A folder of photographs, an empty project, and imports of the one into the other. */
#pragma once

#include "import.h"
#include "support_photo.h"
#include "support_project.h"

struct import_world {
	struct test_project p; /* taxa blank, animal1, animal2; nothing in it */
	char photos[64];
	int64_t offset_s;
	struct import_options options; /* the whole folder, offset 0; a test changes it */
	const char *paths[2];
	char manifest[100];
	struct import_result result; /* of the last import */
	struct err err;
};

int import_world_open(void **state);
int import_world_close(void **state);

/* Imports with the options as they stand. */
enum status import_again(struct import_world *w);
/* The same, and stops the test unless it goes well. */
void import_well(struct import_world *w);
/* Writes the manifest; imports use it from now on. */
void import_manifest(struct import_world *w, const char *text);
/* Photographs "NAME" taken at 2024-05-01 10:00:00 plus seconds, each with a picture of its own. */
void import_photo(struct import_world *w, const char *name, int seconds);
/* Whether a problem of the last import is of that file and has these words. */
int import_has_problem(const struct import_world *w, const char *file, const char *words);
/* One number that changes with every row and file of the data directory that an import writes. */
int64_t import_fingerprint(struct import_world *w);
