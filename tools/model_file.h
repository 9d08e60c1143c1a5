/* Model files into a project's registry: from elsewhere, or made of several that it has. */
#pragma once

#include "registry.h"

/*
 * Reads the file with the engine, copies it into the data directory and registers it, in a transaction of its own. Without
 * a name it gets the file's. A file without class names (torchvision's), or with `backbone`, comes as a backbone. The same
 * file under the same name again is answered with the model that is there.
 * With `focus`, what is kept is a copy that sees photographs' windows (gpu/input.h) instead of the whole. An ensemble's
 * file is taken as it is.
 * Errors: BAD_INPUT an ensemble with backbone or focus; those of model_load, model_save, registry_keep_file, registry_import.
 */
enum status model_file_import(struct db *db, int64_t project_id, const char *path, const char *name,
	bool backbone, bool focus, int64_t *id, struct err *err) MUST_CHECK;

/*
 * Makes one model of several of the project, named in a list with commas ("m1,m2"); its name is theirs with + between
 * where none is given. The same again is answered with the model that is there.
 * Errors: NOT_FOUND a member that the project does not have; those of ensemble_save, registry_keep_file,
 * registry_add_ensemble.
 */
enum status model_file_ensemble(struct db *db, int64_t project_id, const char *list,
	const char *name, int64_t *id, struct err *err) MUST_CHECK;
