/*
 * Accounts: who I am, sign up, log in, log out, a new password by the old one or by an invitation,
 * and leaving. Passwords are hashed here, on the request's thread
 * and few at a time (64 MiB each), never on the writer's.
 */
#include "handlers.h"

#include "forget.h"
#include "server.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

enum { MAX_HASHING = 8 };

static atomic_int n_hashing;

/* One of few places for a password's hash; give it back with --n_hashing. */
static enum status begin_hashing(struct err *err)
{
	if (++n_hashing <= MAX_HASHING)
		return OK;
	--n_hashing;
	return err_set(err, BUSY, "many are logging in: try again in a second");
}

static enum status put_roles(struct request *r, int64_t id, json_t *roles, struct err *err)
{
	struct stmt *row = db_query(r->db, Q_ROLE_LIST, "i", id);
	enum status st;
	while ((st = db_step(row, err)) == OK) {
		json_t *list = json_object_get(roles, col_text(row, 0));
		if (!list) {
			list = json_array();
			json_object_set_new(roles, col_text(row, 0), list);
		}
		json_array_append_new(list, json_string(col_text(row, 1)));
	}
	return st == NOT_FOUND ? OK : st;
}

/* The reply of /api/me and of whatever changes who one is. */
static enum status reply_me(
	struct request *r, const struct volunteer *v, struct reply *reply, struct err *err)
{
	int64_t n = 0;
	json_t *roles = json_object();
	enum status st = put_roles(r, v->id, roles, err);
	if (st == OK)
		st = volunteer_n_answers(r->db, v->id, &n, err);
	if (st != OK) {
		json_decref(roles);
		return st;
	}
	reply->json = json_pack("{s:I, s:s?, s:b, s:b, s:o, s:I}", "id", (json_int_t)v->id, "name",
		v->anonymous ? NULL : v->name, "anonymous", v->anonymous, "admin", v->admin, "roles", roles,
		"n_answers", (json_int_t)n);
	return reply->json ? OK : err_set(err, FAULT, "the volunteer's name is not UTF-8");
}

/* What the writer is handed; the fields that a piece of work does not need stay zero. */
struct account_work {
	int64_t id, account;
	const char *name, *hash, *old_secret, *new_secret;
	int64_t now_ms;
};

static enum status make_anonymous(struct db *db, void *arg, struct err *err)
{
	struct account_work *w = arg;
	return volunteer_anonymous(db, w->new_secret, w->now_ms, &w->id, err);
}

enum status handle_me(struct request *r, struct reply *reply, struct err *err)
{
	struct volunteer v = r->volunteer;
	if (!v.id) {
		enum status may = http_limit(r, reply, LIMIT_ANONYMOUS, NULL, err);
		if (may != OK)
			return may;
		struct account_work w = {.new_secret = reply->new_cookie, .now_ms = r->now_ms};
		secret_make(reply->new_cookie);
		enum status st = writer_do(r->app->writer, make_anonymous, &w, err);
		if (st != OK)
			return st;
		v = (struct volunteer){.id = w.id, .anonymous = true};
	}
	return reply_me(r, &v, reply, err);
}

static enum status read_credentials(
	const struct request *r, const char **name, const char **password, struct err *err)
{
	enum status st = body_text(r, "name", name, err);
	return st == OK ? body_text(r, "password", password, err) : st;
}

static enum status sign_up(struct db *db, void *arg, struct err *err)
{
	struct account_work *w = arg;
	if (w->id)
		return volunteer_sign_up(
			db, w->id, w->name, w->hash, w->old_secret, w->new_secret, w->now_ms, err);
	enum status st = volunteer_add(db, w->name, w->hash, false, w->now_ms, &w->id, err);
	return st == OK ? session_renew(db, w->id, NULL, w->new_secret, w->now_ms, err) : st;
}

/* Cheap refusals first: none of them should cost a hash. */
static enum status check_sign_up(const struct request *r, const char *name, struct err *err)
{
	int64_t id = 0;
	char hash[PASSWORD_HASH_SIZE];
	if (r->volunteer.id && !r->volunteer.anonymous)
		return err_set(err, CONFLICT, "you have an account already: log out first");
	enum status st = volunteer_name_check(name, err);
	if (st == OK)
		st = volunteer_find(r->db, name, &id, hash, err);
	if (st == OK)
		return err_set(err, CONFLICT, "the name '%.60s' is taken", name);
	return st == NOT_FOUND ? OK : st;
}

enum status handle_signup(struct request *r, struct reply *reply, struct err *err)
{
	const char *name = NULL;
	const char *password = NULL;
	char hash[PASSWORD_HASH_SIZE];
	enum status st = read_credentials(r, &name, &password, err);
	if (st == OK)
		st = check_sign_up(r, name, err);
	if (st == OK)
		st = http_limit(r, reply, LIMIT_SIGNUP, NULL, err);
	if (st == OK)
		st = begin_hashing(err);
	if (st != OK)
		return st;
	st = password_hash(password, hash, err);
	--n_hashing;
	if (st != OK)
		return st;
	struct account_work w = {.id = r->volunteer.id,
		.name = name,
		.hash = hash,
		.old_secret = r->cookie,
		.new_secret = reply->new_cookie,
		.now_ms = r->now_ms};
	secret_make(reply->new_cookie);
	st = writer_do(r->app->writer, sign_up, &w, err);
	struct volunteer v = {.id = w.id};
	memcpy(v.name, name, strlen(name) + 1); /* checked: at most 60 characters of 4 bytes */
	return st == OK ? reply_me(r, &v, reply, err) : st;
}

static enum status log_in(struct db *db, void *arg, struct err *err)
{
	const struct account_work *w = arg;
	return volunteer_login(db, w->account, w->id, w->old_secret, w->new_secret, w->now_ms, err);
}

/*
 * Whether the password is the account's (0: of no account, which takes as long to say). Counts against the limits of wrong
 * passwords, which are taken first, so that many tries at once are as few as one after another.
 */
static enum status check_password(const struct request *r, struct reply *reply, const char *name,
	const char *password, int64_t *account, struct err *err)
{
	static const enum limit_kind kinds[] = {LIMIT_LOGIN_ADDRESS, LIMIT_LOGIN, LIMIT_LOGIN_NAME};
	enum { N = sizeof kinds / sizeof *kinds };
	char hash[PASSWORD_HASH_SIZE] = "", both[360];
	const char *const keys[N] = {r->address, both, name};
	int n = 0;
	enum status st = OK;
	snprintf(both, sizeof both, "%s %.300s", r->address, name);
	*account = 0;
	while (st == OK && n < N && (st = http_limit(r, reply, kinds[n], keys[n], err)) == OK)
		n++;
	bool hashing = st == OK && (st = begin_hashing(err)) == OK;
	if (hashing)
		st = volunteer_find(r->db, name, account, hash, err);
	bool fits = (st == OK || st == NOT_FOUND) && password_fits(password, hash);
	n_hashing -= hashing;
	if ((st == OK || st == NOT_FOUND) && !fits)
		return err_set(err, DENIED, "name or password is wrong");
	while (n-- > 0)
		limit_give(r->app->limits, kinds[n], keys[n]);
	return st;
}

enum status handle_login(struct request *r, struct reply *reply, struct err *err)
{
	const char *name = NULL;
	const char *password = NULL;
	int64_t account = 0;
	enum status st = read_credentials(r, &name, &password, err);
	if (st == OK)
		st = check_password(r, reply, name, password, &account, err);
	if (st != OK)
		return st;
	struct account_work w = {.id = r->volunteer.anonymous ? r->volunteer.id : 0,
		.account = account,
		.old_secret = r->cookie,
		.new_secret = reply->new_cookie,
		.now_ms = r->now_ms};
	struct volunteer v = {0};
	secret_make(reply->new_cookie);
	st = writer_do(r->app->writer, log_in, &w, err);
	if (st == OK)
		st = session_find(r->db, reply->new_cookie, r->now_ms, &v, err);
	return st == OK ? reply_me(r, &v, reply, err) : st;
}

static enum status log_out(struct db *db, void *arg, struct err *err)
{
	return session_drop(db, arg, err);
}

static enum status log_out_everywhere(struct db *db, void *arg, struct err *err)
{
	const struct account_work *w = arg;
	return session_drop_all(db, w->id, err);
}

enum status handle_logout(struct request *r, struct reply *reply, struct err *err)
{
	char secret[SECRET_SIZE];
	const json_t *everywhere = json_object_get(r->json, "everywhere");
	struct account_work all = {.id = r->volunteer.id};
	if (everywhere && !json_is_boolean(everywhere))
		return err_set(err, BAD_INPUT, "\"everywhere\" must be true or false");
	reply->drop_cookie = true;
	if (!r->cookie)
		return OK;
	if (json_is_true(everywhere))
		return writer_do(r->app->writer, log_out_everywhere, &all, err);
	snprintf(secret, sizeof secret, "%s", r->cookie);
	return writer_do(r->app->writer, log_out, secret, err);
}

/* A password's hash, in one of the places for that. */
static enum status hash_new(const char *password, char hash[PASSWORD_HASH_SIZE], struct err *err)
{
	enum status st = begin_hashing(err);
	if (st != OK)
		return st;
	st = password_hash(password, hash, err);
	--n_hashing;
	return st;
}

/* Every session ends, and this browser has a new one. */
static enum status set_password(struct db *db, void *arg, struct err *err)
{
	const struct account_work *w = arg;
	enum status st = volunteer_set_password(db, w->id, w->hash, err);
	return st == OK ? session_renew(db, w->id, NULL, w->new_secret, w->now_ms, err) : st;
}

enum status handle_password(struct request *r, struct reply *reply, struct err *err)
{
	const char *old = NULL, *new = NULL;
	char hash[PASSWORD_HASH_SIZE];
	int64_t account = 0;
	if (r->volunteer.anonymous)
		return err_set(err, CONFLICT, "you have no account yet: sign up first");
	enum status st = body_text(r, "old", &old, err);
	if (st == OK)
		st = body_text(r, "new", &new, err);
	if (st == OK)
		st = password_check(new, err);
	if (st == OK)
		st = check_password(r, reply, r->volunteer.name, old, &account, err);
	if (st == DENIED)
		return err_set(err, DENIED, "the old password is wrong");
	if (st == OK)
		st = hash_new(new, hash, err);
	struct account_work w = {
		.id = account, .hash = hash, .new_secret = reply->new_cookie, .now_ms = r->now_ms};
	if (st != OK)
		return st;
	secret_make(reply->new_cookie);
	return writer_do(r->app->writer, set_password, &w, err);
}

static enum status take_invite(struct db *db, void *arg, struct err *err)
{
	struct account_work *w = arg;
	enum status st = invite_find(db, w->name, w->now_ms, &w->account, err);
	if (st == OK)
		st = volunteer_set_password(db, w->account, w->hash, err);
	return st == OK
		? volunteer_login(db, w->account, w->id, w->old_secret, w->new_secret, w->now_ms, err)
		: st;
}

enum status handle_invite(struct request *r, struct reply *reply, struct err *err)
{
	const char *token = NULL, *password = NULL;
	char hash[PASSWORD_HASH_SIZE];
	int64_t account = 0;
	struct volunteer v = {0};
	enum status st = body_text(r, "token", &token, err);
	if (st == OK)
		st = body_text(r, "password", &password, err);
	if (st == OK)
		st = password_check(password, err);
	if (st == OK) /* before it costs a hash */
		st = invite_find(r->db, token, r->now_ms, &account, err);
	if (st == OK)
		st = hash_new(password, hash, err);
	if (st != OK)
		return st;
	struct account_work w = {.id = r->volunteer.anonymous ? r->volunteer.id : 0,
		.name = token,
		.hash = hash,
		.old_secret = r->cookie,
		.new_secret = reply->new_cookie,
		.now_ms = r->now_ms};
	secret_make(reply->new_cookie);
	st = writer_do(r->app->writer, take_invite, &w, err);
	if (st == OK)
		st = session_find(r->db, reply->new_cookie, r->now_ms, &v, err);
	return st == OK ? reply_me(r, &v, reply, err) : st;
}

struct leave_work {
	int64_t id, now_ms;
	bool take;
};

static enum status do_leave(struct db *db, void *arg, struct err *err)
{
	const struct leave_work *w = arg;
	return forget_begin(db, w->id, w->take, w->now_ms, err);
}

/* The answers that are taken go piece by piece, by the server's upkeep. */
enum status handle_delete(struct request *r, struct reply *reply, struct err *err)
{
	const char *password = NULL, *answers = NULL;
	int64_t account = 0;
	struct leave_work w = {.id = r->volunteer.id, .now_ms = r->now_ms};
	enum status st = body_text(r, "answers", &answers, err);
	if (st != OK)
		return st;
	w.take = strcmp(answers, "take") == 0;
	if (!w.take && strcmp(answers, "keep") != 0)
		return err_set(err, BAD_INPUT, "\"answers\" must be \"keep\" or \"take\"");
	if (!r->volunteer.anonymous) {
		st = body_text(r, "password", &password, err);
		if (st == OK)
			st = check_password(r, reply, r->volunteer.name, password, &account, err);
		if (st == DENIED)
			return err_set(err, DENIED, "the password is wrong");
	}
	if (st == OK)
		st = writer_do(r->app->writer, do_leave, &w, err);
	reply->drop_cookie = st == OK;
	return st;
}
