/*
 * What a camera wrote about a photograph: the few EXIF fields that topi uses, read straight from
 * the JPEG's bytes by a reader of its own, small enough to see that it stays inside them. Source:
 * EXIF 2.32 (CIPA DC-008), TIFF 6.0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "civil.h"

struct exif {
	/* When the shutter opened, else when the picture was digitised, else when the file was written:
	 * the first of the three that is there and a possible date. With an offset only where the
	 * camera wrote one. */
	bool has_time;
	struct civil_time time;
	char make[64], model[64];           /* printable ASCII, trimmed; empty where absent */
	int orientation;                    /* 1-8 as tag 0x0112; 1 where absent or out of range */
	bool has_gps;                       /* there is a GPS block: for administrators only */
	bool has_place;                     /* and it holds a position that can exist */
	double latitude_deg, longitude_deg; /* WGS 84, north and east positive */
};

/* Never fails: a field that is absent, malformed or outside the file is absent in out. */
void exif_read(const uint8_t *jpeg, size_t n_bytes, struct exif *out);
