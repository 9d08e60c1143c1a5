/* Open addressing over one buffer of text: about 12 bytes a name besides its text. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

struct names {
	char *text;
	size_t n_text, room_text;
	size_t *start; /* where a name begins in text */
	size_t n, room;
	uint32_t *slots; /* number + 1, or 0 */
	size_t n_slots;  /* a power of two, at most half of them taken */
};

struct names *names_new(void)
{
	struct names *names = calloc(1, sizeof *names);
	if (names) {
		names->n_slots = 1024;
		names->slots = calloc(names->n_slots, sizeof *names->slots);
	}
	if (names && !names->slots) {
		free(names);
		return NULL;
	}
	return names;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	free(names->text);
	free(names->start);
	free(names->slots);
	free(names);
}

/* FNV-1a, its high bits mixed into the low ones that choose a slot. */
static size_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return (size_t)(h ^ h >> 29);
}

static size_t slot_of(const struct names *names, const char *text)
{
	size_t slot = hash(text) & (names->n_slots - 1);
	while (
		names->slots[slot] && strcmp(names->text + names->start[names->slots[slot] - 1], text) != 0)
		slot = (slot + 1) & (names->n_slots - 1);
	return slot;
}

static bool grow_slots(struct names *names)
{
	uint32_t *slots = calloc(names->n_slots * 2, sizeof *slots);
	if (!slots)
		return false;
	free(names->slots);
	names->slots = slots;
	names->n_slots *= 2;
	for (size_t i = 0; i < names->n; i++)
		slots[slot_of(names, names->text + names->start[i])] = (uint32_t)i + 1;
	return true;
}

static bool append(struct names *names, const char *text)
{
	const size_t n_bytes = strlen(text) + 1;
	if (names->n == names->room) {
		const size_t room = names->room ? names->room * 2 : 256;
		size_t *start = realloc(names->start, room * sizeof *start);
		if (!start)
			return false;
		names->start = start;
		names->room = room;
	}
	if (names->n_text + n_bytes > names->room_text) {
		const size_t room = names->room_text * 2 + n_bytes;
		char *bytes = realloc(names->text, room);
		if (!bytes)
			return false;
		names->text = bytes;
		names->room_text = room;
	}
	memcpy(names->text + names->n_text, text, n_bytes);
	names->start[names->n++] = names->n_text;
	names->n_text += n_bytes;
	return true;
}

enum status names_put(struct names *names, const char *text, uint32_t *out, struct err *err)
{
	size_t slot = slot_of(names, text);
	if (!names->slots[slot]) {
		if (names->n == NAMES_MAX || !append(names, text))
			return err_set(err, FAULT, "%zu names do not fit in memory", names->n + 1);
		names->slots[slot] = (uint32_t)names->n;
		*out = (uint32_t)names->n - 1;
		if (names->n * 2 > names->n_slots && !grow_slots(names))
			return err_set(err, FAULT, "%zu names do not fit in memory", names->n);
		return OK;
	}
	*out = names->slots[slot] - 1;
	return OK;
}

bool names_find(const struct names *names, const char *text, uint32_t *out)
{
	const uint32_t found = names->slots[slot_of(names, text)];
	*out = found - 1;
	return found > 0;
}

size_t names_count(const struct names *names)
{
	return names->n;
}

const char *names_text(const struct names *names, uint32_t i)
{
	return names->text + names->start[i];
}
