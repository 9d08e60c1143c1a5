/* What import.c, import_file.c and import_group.c share; nobody else includes this. */
#pragma once

#include "civil.h"
#include "focus.h"
#include "import.h"
#include "manifest.h"

struct place {
	int64_t id; /* 0: not stored yet */
	char *name;
	bool placed;
	double latitude_deg, longitude_deg;
	bool zoned;
	int64_t utc_offset_s, clock_shift_s, crop_bottom_px;
};

/* One photograph on its way in. */
struct photo {
	char *path; /* as it can be opened */
	char *name; /* below the imported folder, as readable text: stored */
	char *deployment;
	const struct manifest_row *row; /* or NULL */
	/* Filled by photo_take. */
	bool taken;
	char reason[200]; /* why not */
	bool fatal;       /* the reason is ours or the disk's: the import stops */
	enum status status;
	uint8_t sha256[32];
	int64_t n_bytes;
	int width_px, height_px;
	bool has_time;
	struct civil_time time;
	/* Filled when it is grouped. */
	bool known; /* the project has it already */
	int64_t camera_ms, taken_ms;
	int64_t subject_id;
	/* Filled by focus_photos. */
	bool has_focus;
	struct focus_window focus;
};

struct photo_list {
	struct photo *items;
	size_t n, room;
};

/*
 * Adds the photographs of a folder or a single file to out; with a manifest, those that it names.
 * Errors: NOT_FOUND; BAD_INPUT what is neither, or lies in the data directory.
 */
enum status walk_photos(const char *path, const char *data_dir, const struct manifest *manifest,
	struct photo_list *out, struct import_result *result, struct err *err) MUST_CHECK;

/* One more line of what went wrong with single files. */
void import_add_problem(struct import_result *result, const char *file, const char *reason);

struct taking {
	const char *dir;
	bool link;
	int64_t crop_bottom_px;
	int model_px;
};

/*
 * Reads, hashes, checks and renders one photograph, and writes its files (not yet synced). A photograph whose files are
 * all there is not rendered again. Never fails: photo->taken says whether it went.
 */
void photo_take(struct photo *photo, const struct taking *taking);

/* Only photo->sha256, of a file that can be read: false where it cannot, which photo_take will say. */
bool photo_hash(struct photo *photo);

/* Takes away what imports that were killed left half written. */
void parts_sweep(const char *dir);

/* Looks a taken photograph up by its hash: photo->known, and then photo->subject_id. */
enum status photo_find(
	struct db *db, const struct project *project, struct photo *photo, struct err *err) MUST_CHECK;

/*
 * Compares the taken photographs that are new to the project with what the same camera took before and after them, by
 * their renditions: photo->focus says where each differs. Those among too few of their kind of light get none. Times must
 * be set; nothing is written.
 * Errors: FAULT a table that cannot be read. A rendition that cannot be read is passed over.
 */
enum status focus_photos(struct db *db, const struct project *project, const struct place *place,
	struct photo *photos, size_t n, const struct import_options *options,
	struct err *err) MUST_CHECK;

/* Puts what was written to disk. Errors: FULL, FAULT. */
enum status photo_sync(const char *dir, struct err *err) MUST_CHECK;

/* The files' names below the data directory: media/ab/HASH.jpg and renditions/SIZE/ab/HASH-CROP.jpg. */
void photo_original(const uint8_t sha256[32], char *out, size_t n_out);
void photo_rendition(
	const uint8_t sha256[32], int size_px, int64_t crop_px, char *out, size_t n_out);

/*
 * Stores the taken photographs of one deployment, grouped into capture events, in the caller's transaction.
 * A photograph whose event cannot be had gets a reason and is not taken.
 */
enum status group_store(struct db *db, const struct project *project, struct place *place,
	struct photo **photos, size_t n, const struct import_options *options,
	struct import_result *result, struct err *err) MUST_CHECK;

/* Lists a label of the manifest that a photograph's subject, which the project has already, does not carry. */
enum status group_check_label(struct db *db, const struct photo *photo,
	struct import_result *result, struct err *err) MUST_CHECK;
