/* Accounts, sessions, roles and tokens in the database. What a log-in claims is in claim.c. */
#include "volunteer.h"

#include "text.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { HASH_SIZE = 32 };

void secret_make(char out[SECRET_SIZE])
{
	unsigned char bytes[32];
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(out, SECRET_SIZE, bytes, sizeof bytes);
	sodium_memzero(bytes, sizeof bytes);
}

static void secret_hash(const char *secret, uint8_t out[HASH_SIZE])
{
	crypto_generichash(out, HASH_SIZE, (const unsigned char *)secret, strlen(secret), NULL, 0);
}

enum status volunteer_name_check(const char *name, struct err *err)
{
	enum status st = text_check("the name", name, VOLUNTEER_NAME_MAX, false, err);
	if (st == OK && (name[0] == ' ' || name[strlen(name) - 1] == ' '))
		return err_set(err, BAD_INPUT, "the name begins or ends with a space");
	return st;
}

enum status password_check(const char *password, struct err *err)
{
	size_t n = strlen(password);
	if (n < PASSWORD_MIN || n > PASSWORD_MAX)
		return err_set(err, BAD_INPUT, "the password has %zu bytes: %d to %d are wanted", n,
			PASSWORD_MIN, PASSWORD_MAX);
	return OK;
}

enum status password_hash(const char *password, char out[PASSWORD_HASH_SIZE], struct err *err)
{
	_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "room for argon2's string");
	enum status st = password_check(password, err);
	if (st != OK)
		return st;
	if (crypto_pwhash_str(out, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
			crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return err_set(err, FAULT, "out of memory for the password's hash");
	return OK;
}

bool password_fits(const char *password, const char *hash)
{
	/* argon2id of a random password that was thrown away, with the same cost. */
	static const char nobodys[] = "$argon2id$v=19$m=65536,t=2,p=1$EE4+DVC71P69IT4P2dwP3w$"
								  "H4a+PahJdsG4Z1c9jvbf3LayaPYQdmr4/iVaDtcE1PE";
	size_t n = strlen(password);
	if (n > PASSWORD_MAX)
		return false;
	bool fits = crypto_pwhash_str_verify(hash[0] ? hash : nobodys, password, n) == 0;
	return fits && hash[0];
}

static enum status session_add(
	struct db *db, const char *secret, int64_t id, int64_t now_ms, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	secret_hash(secret, hash);
	return db_run(
		db, Q_SESSION_ADD, err, "biii", hash, (size_t)HASH_SIZE, id, now_ms, now_ms + SESSION_MS);
}

static enum status add(struct db *db, const char *name, const char *hash, bool admin,
	int64_t now_ms, int64_t *id, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(
		db, Q_VOLUNTEER_ADD, &row, err, "ssii", name, hash, (int64_t)admin, now_ms);
	if (st != OK)
		return st;
	*id = col_int(row, 0);
	db_done(row);
	return OK;
}

enum status volunteer_anonymous(
	struct db *db, const char *secret, int64_t now_ms, int64_t *id, struct err *err)
{
	enum status st = add(db, NULL, NULL, false, now_ms, id, err);
	return st == OK ? session_add(db, secret, *id, now_ms, err) : st;
}

/* CONFLICT where the name has an owner. */
static enum status check_free(struct db *db, const char *name, struct err *err)
{
	int64_t id = 0;
	char hash[PASSWORD_HASH_SIZE];
	enum status st = volunteer_name_check(name, err);
	if (st == OK)
		st = volunteer_find(db, name, &id, hash, err);
	if (st == OK)
		return err_set(err, CONFLICT, "the name '%.60s' is taken", name);
	return st == NOT_FOUND ? OK : st;
}

enum status volunteer_add(struct db *db, const char *name, const char *hash, bool admin,
	int64_t now_ms, int64_t *id, struct err *err)
{
	enum status st = check_free(db, name, err);
	return st == OK ? add(db, name, hash, admin, now_ms, id, err) : st;
}

enum status volunteer_find(
	struct db *db, const char *name, int64_t *id, char hash[PASSWORD_HASH_SIZE], struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_VOLUNTEER_BY_NAME, &row, err, "s", name);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no account named '%.60s'", name);
	if (st != OK)
		return st;
	*id = col_int(row, 0);
	snprintf(hash, PASSWORD_HASH_SIZE, "%s", col_text(row, 1));
	db_done(row);
	return OK;
}

enum status volunteer_set_password(struct db *db, int64_t id, const char *hash, struct err *err)
{
	enum status st = db_run(db, Q_VOLUNTEER_SET_PASSWORD, err, "is", id, hash);
	if (st == OK)
		st = db_run(db, Q_INVITE_DROP, err, "i", id);
	return st == OK ? session_drop_all(db, id, err) : st;
}

enum status invite_put(
	struct db *db, int64_t id, const char *secret, int64_t now_ms, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	secret_hash(secret, hash);
	return db_run(db, Q_INVITE_PUT, err, "ibi", id, hash, (size_t)HASH_SIZE, now_ms + INVITE_MS);
}

enum status invite_find(
	struct db *db, const char *secret, int64_t now_ms, int64_t *id, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	struct stmt *row = NULL;
	secret_hash(secret, hash);
	enum status st = db_one(db, Q_INVITE_FIND, &row, err, "bi", hash, (size_t)HASH_SIZE, now_ms);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "this link was used or is too old: ask for another");
	if (st != OK)
		return st;
	*id = col_int(row, 0);
	db_done(row);
	return OK;
}

enum status volunteer_set_admin(struct db *db, int64_t id, bool admin, struct err *err)
{
	return db_run(db, Q_VOLUNTEER_SET_ADMIN, err, "ii", id, (int64_t)admin);
}

enum status volunteer_n_answers(struct db *db, int64_t id, int64_t *n, struct err *err)
{
	struct stmt *row = NULL;
	enum status st = db_one(db, Q_VOLUNTEER_N_ANSWERS, &row, err, "i", id);
	if (st != OK)
		return st;
	*n = col_int(row, 0);
	db_done(row);
	return OK;
}

enum status session_find(
	struct db *db, const char *secret, int64_t now_ms, struct volunteer *out, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	struct stmt *row = NULL;
	secret_hash(secret, hash);
	enum status st = db_one(db, Q_SESSION_FIND, &row, err, "bi", hash, (size_t)HASH_SIZE, now_ms);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no such session");
	if (st != OK)
		return st;
	*out = (struct volunteer){
		.id = col_int(row, 0), .anonymous = col_null(row, 1), .admin = col_int(row, 2) != 0};
	snprintf(out->name, sizeof out->name, "%s", col_text(row, 1));
	db_done(row);
	return OK;
}

enum status session_drop(struct db *db, const char *secret, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	secret_hash(secret, hash);
	return db_run(db, Q_SESSION_DROP, err, "b", hash, (size_t)HASH_SIZE);
}

enum status session_drop_all(struct db *db, int64_t id, struct err *err)
{
	return db_run(db, Q_SESSION_DROP_ALL, err, "i", id);
}

enum status session_renew(struct db *db, int64_t id, const char *old_secret, const char *new_secret,
	int64_t now_ms, struct err *err)
{
	enum status st = old_secret ? session_drop(db, old_secret, err) : OK;
	return st == OK ? session_add(db, new_secret, id, now_ms, err) : st;
}

enum status volunteer_sign_up(struct db *db, int64_t id, const char *name, const char *hash,
	const char *old_secret, const char *new_secret, int64_t now_ms, struct err *err)
{
	enum status st = check_free(db, name, err);
	if (st == OK)
		st = db_run(db, Q_VOLUNTEER_SET_NAME, err, "iss", id, name, hash);
	if (st == OK && db_changes(db) == 0)
		return err_set(err, CONFLICT, "you have an account already: log out first");
	return st == OK ? session_renew(db, id, old_secret, new_secret, now_ms, err) : st;
}

static enum status check_role(const char *role, struct err *err)
{
	if (strcmp(role, "admin") == 0 || strcmp(role, "researcher") == 0 ||
		strcmp(role, "expert") == 0 || strcmp(role, "moderator") == 0)
		return OK;
	return err_set(err, BAD_INPUT,
		"'%.40s' is no role: admin, researcher, expert or moderator is wanted", role);
}

enum status role_add(
	struct db *db, int64_t project_id, int64_t volunteer_id, const char *role, struct err *err)
{
	enum status st = check_role(role, err);
	return st == OK ? db_run(db, Q_ROLE_ADD, err, "iis", project_id, volunteer_id, role) : st;
}

enum status role_drop(
	struct db *db, int64_t project_id, int64_t volunteer_id, const char *role, struct err *err)
{
	enum status st = check_role(role, err);
	return st == OK ? db_run(db, Q_ROLE_DROP, err, "iis", project_id, volunteer_id, role) : st;
}

enum status role_has(struct db *db, int64_t project_id, const struct volunteer *volunteer,
	const char *role, bool *has, struct err *err)
{
	struct stmt *row = NULL;
	*has = volunteer->admin;
	if (*has)
		return OK;
	enum status st = db_one(db, Q_ROLE_HAS, &row, err, "iis", project_id, volunteer->id, role);
	*has = st == OK;
	if (st == OK)
		db_done(row);
	return st == NOT_FOUND ? OK : st;
}

enum status token_add(
	struct db *db, const char *name, const char *secret, int64_t now_ms, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	struct stmt *row = NULL;
	enum status st = volunteer_name_check(name, err);
	if (st == OK)
		st = db_one(db, Q_TOKEN_BY_NAME, &row, err, "s", name);
	if (st == OK) {
		db_done(row);
		return err_set(err, CONFLICT, "there is a token named '%.60s' already", name);
	}
	if (st != NOT_FOUND)
		return st;
	secret_hash(secret, hash);
	return db_run(db, Q_TOKEN_ADD, err, "sbi", name, hash, (size_t)HASH_SIZE, now_ms);
}

enum status token_revoke(struct db *db, const char *name, int64_t now_ms, struct err *err)
{
	enum status st = db_run(db, Q_TOKEN_REVOKE, err, "si", name, now_ms);
	if (st == OK && db_changes(db) == 0)
		return err_set(err, NOT_FOUND, "there is no token named '%.60s' in force", name);
	return st;
}

enum status token_lend(
	struct db *db, const char *name, const char *secret, int64_t now_ms, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	secret_hash(secret, hash);
	enum status st = db_run(db, Q_TOKEN_CLEAN, err, "i", now_ms);
	return st == OK ? db_run(db, Q_TOKEN_LEND, err, "sbii", name, hash, (size_t)HASH_SIZE, now_ms,
						  now_ms + TOKEN_LEND_MS)
					: st;
}

enum status token_drop(struct db *db, const char *name, struct err *err)
{
	return db_run(db, Q_TOKEN_DROP, err, "s", name);
}

enum status token_check(struct db *db, const char *secret, int64_t now_ms, struct err *err)
{
	uint8_t hash[HASH_SIZE];
	struct stmt *row = NULL;
	secret_hash(secret, hash);
	enum status st = db_one(db, Q_TOKEN_CHECK, &row, err, "bi", hash, (size_t)HASH_SIZE, now_ms);
	if (st == OK)
		db_done(row);
	return st == NOT_FOUND ? err_set(err, NOT_FOUND, "there is no such token") : st;
}
