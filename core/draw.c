/* A keyed hash as a fair, unrepeatable coin. */
#include "draw.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum status draw_uniform(
	struct db *db, const char *purpose, int64_t a, int64_t b, double *out, struct err *err)
{
	struct stmt *row = NULL;
	unsigned char key[32];
	unsigned char hash[16];
	char text[120];
	enum status st = db_one(db, Q_SETTING_GET, &row, err, "s", "secret");
	if (st == NOT_FOUND)
		return err_set(
			err, FAULT, "the data directory has no secret: it was not made by `topi init`");
	if (st != OK)
		return st;
	size_t n_key = 0;
	int bad = sodium_hex2bin(
		key, sizeof key, col_text(row, 0), strlen(col_text(row, 0)), NULL, &n_key, NULL);
	db_done(row);
	if (bad || n_key != sizeof key)
		return err_set(err, FAULT, "the data directory's secret is not 64 hex digits");
	int n = snprintf(text, sizeof text, "%.40s/%lld/%lld", purpose, (long long)a, (long long)b);
	crypto_generichash(
		hash, sizeof hash, (const unsigned char *)text, (unsigned long long)n, key, sizeof key);
	uint64_t bits = 0;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | hash[i];
	*out = (double)(bits >> 11) * 0x1p-53;
	return OK;
}
