/* A model file from elsewhere into a project's registry. */
#pragma once

#include "registry.h"

/*
 * Reads the file with the engine, copies it into the data directory and registers it, in a transaction of its own. Without
 * a name it gets the file's. A file without class names (torchvision's), or with `backbone`, comes as a backbone. The same
 * file under the same name again is answered with the model that is there.
 * With `focus`, what is kept is a copy that sees photographs' windows (gpu/input.h) instead of the whole.
 * Errors: those of model_load, model_save, registry_keep_file, registry_import.
 */
enum status model_file_import(struct db *db, int64_t project_id, const char *path, const char *name,
	bool backbone, bool focus, int64_t *id, struct err *err) MUST_CHECK;
