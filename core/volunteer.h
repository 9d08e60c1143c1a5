/*
 * Accounts: everybody who answers is a volunteer row, signed up or not; a browser is a session;
 * people have roles in projects and machines have tokens. Sessions and tokens are 256 random bits
 * in hex, of which only the BLAKE2b-256 hash is stored; passwords are argon2id strings.
 *
 * Hashing a password takes a tenth of a second and 64 MiB on purpose: do it before handing the
 * write to the writer thread.
 */
#pragma once

#include "db.h"

enum {
	VOLUNTEER_NAME_MAX = 60, /* characters */
	VOLUNTEER_NAME_BYTES = 240,
	PASSWORD_MIN = 8, /* bytes */
	PASSWORD_MAX = 200,
	PASSWORD_HASH_SIZE = 128,
	INVITE_MS = 24 * 3600 * 1000,
	SECRET_SIZE = 65 /* a session's or token's text: 64 hex digits and NUL */
};
#define SESSION_MS (90LL * 24 * 3600 * 1000)

struct volunteer {
	int64_t id; /* 0: nobody */
	bool anonymous, admin;
	char name[VOLUNTEER_NAME_BYTES + 1]; /* "" while anonymous */
};

/* A new secret for a cookie or a token, from the system's random bytes. */
void secret_make(char out[SECRET_SIZE]);

/* Errors: BAD_INPUT: empty, over 60 characters, not UTF-8, or with control characters or spaces at
 * an end. */
enum status volunteer_name_check(const char *name, struct err *err) MUST_CHECK;

/* Errors: BAD_INPUT when the password is not 8 to 200 bytes. */
enum status password_check(const char *password, struct err *err) MUST_CHECK;
/* Errors: those of password_check; FAULT when memory is out. */
enum status password_hash(
	const char *password, char out[PASSWORD_HASH_SIZE], struct err *err) MUST_CHECK;
/* Whether the password belongs to the hash. An empty hash never does, and takes as long to say so. */
bool password_fits(const char *password, const char *hash);

/* A new anonymous volunteer with a session. */
enum status volunteer_anonymous(
	struct db *db, const char *secret, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;
/* A new account with no session (`topi user add`). Errors: BAD_INPUT the name; CONFLICT it is taken. */
enum status volunteer_add(struct db *db, const char *name, const char *hash, bool admin,
	int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;
/* Name to id and password hash ("" when there is none). Errors: NOT_FOUND. */
enum status volunteer_find(struct db *db, const char *name, int64_t *id,
	char hash[PASSWORD_HASH_SIZE], struct err *err) MUST_CHECK;
/* Ends every session of the volunteer, too, and an invitation. */
enum status volunteer_set_password(
	struct db *db, int64_t id, const char *hash, struct err *err) MUST_CHECK;
enum status volunteer_set_admin(struct db *db, int64_t id, bool admin, struct err *err) MUST_CHECK;
/* Answers in force. */
enum status volunteer_n_answers(struct db *db, int64_t id, int64_t *n, struct err *err) MUST_CHECK;

/* Who a session's secret belongs to. Errors: NOT_FOUND unknown or expired. */
enum status session_find(struct db *db, const char *secret, int64_t now_ms, struct volunteer *out,
	struct err *err) MUST_CHECK;
enum status session_drop(struct db *db, const char *secret, struct err *err) MUST_CHECK;
/* Of every browser. */
enum status session_drop_all(struct db *db, int64_t id, struct err *err) MUST_CHECK;

/* Ends session `old_secret` (or NULL) and begins `new_secret`: a log-in never goes on under an old one. */
enum status session_renew(struct db *db, int64_t id, const char *old_secret, const char *new_secret,
	int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * The anonymous volunteer becomes the account `name`; its session `old` ends and `new` begins.
 * Errors: BAD_INPUT the name; CONFLICT the name is taken, or the volunteer has a name already.
 */
enum status volunteer_sign_up(struct db *db, int64_t id, const char *name, const char *hash,
	const char *old_secret, const char *new_secret, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * Logs `account` in: session `old_secret` (or NULL) ends, `new_secret` begins, and where `from` is
 * an anonymous volunteer (else 0) the account takes over what it answered: of two answers to one
 * subject the earlier counts and the later is superseded; leases move; skills are joined.
 * The caller has checked the password.
 */
enum status volunteer_login(struct db *db, int64_t account, int64_t from, const char *old_secret,
	const char *new_secret, int64_t now_ms, struct err *err) MUST_CHECK;

/*
 * A token with which this account may set a new password once, within INVITE_MS; an older one is void. Only its hash is kept.
 * invite_find: whose it is. Errors: NOT_FOUND unknown, used or too old.
 */
enum status invite_put(
	struct db *db, int64_t id, const char *secret, int64_t now_ms, struct err *err) MUST_CHECK;
enum status invite_find(
	struct db *db, const char *secret, int64_t now_ms, int64_t *id, struct err *err) MUST_CHECK;

/* Roles: "admin", "researcher", "expert", "moderator". role_add and role_drop are idempotent.
 * Errors: BAD_INPUT for another word. */
enum status role_add(struct db *db, int64_t project_id, int64_t volunteer_id, const char *role,
	struct err *err) MUST_CHECK;
enum status role_drop(struct db *db, int64_t project_id, int64_t volunteer_id, const char *role,
	struct err *err) MUST_CHECK;
/* Whether a volunteer has a role, or is an admin of the project or of the program. */
enum status role_has(struct db *db, int64_t project_id, const struct volunteer *volunteer,
	const char *role, bool *has, struct err *err) MUST_CHECK;

/* Worker tokens. Errors: CONFLICT the name is taken; NOT_FOUND unknown, or revoked. */
enum status token_add(struct db *db, const char *name, const char *secret, int64_t now_ms,
	struct err *err) MUST_CHECK;
enum status token_revoke(
	struct db *db, const char *name, int64_t now_ms, struct err *err) MUST_CHECK;
/*
 * A token of a program's own worker, which token_drop ends. One that was lent TOKEN_LEND_MS ago is none, and deleted when the
 * next is lent, as its program was killed: who goes on lends theirs again before, whether or not the worker is still the same.
 */
#define TOKEN_LEND_MS (7LL * 24 * 3600 * 1000)
enum status token_lend(struct db *db, const char *name, const char *secret, int64_t now_ms,
	struct err *err) MUST_CHECK;
enum status token_drop(struct db *db, const char *name, struct err *err) MUST_CHECK;
enum status token_check(
	struct db *db, const char *secret, int64_t now_ms, struct err *err) MUST_CHECK;
