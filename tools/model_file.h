/* A model file from elsewhere into a project's registry. */
#pragma once

#include "registry.h"

/*
 * Reads the file with the engine, copies it into the data directory and registers it, in a transaction of its own. Without
 * a name it gets the file's. A file without class names (torchvision's), or with `backbone`, comes as a backbone. The same
 * file under the same name again is answered with the model that is there.
 * Errors: those of model_load, registry_keep_file, registry_import.
 */
enum status model_file_import(struct db *db, int64_t project_id, const char *path, const char *name,
	bool backbone, int64_t *id, struct err *err) MUST_CHECK;
