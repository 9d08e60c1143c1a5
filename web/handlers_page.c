/* What is not the API: pages and their parts from the program itself, photographs, health. */
#include "handlers.h"

#include "assets.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum status serve_asset(
	const struct request *r, const char *path, struct reply *reply, struct err *err)
{
	for (const struct asset *a = assets; a->path; a++) {
		if (strcmp(a->path, path) != 0)
			continue;
		reply->type = a->type;
		reply->csp = a->csp;
		reply->gzipped = r->takes_gzip && a->gzip;
		reply->varies = a->gzip != NULL;
		snprintf(
			reply->etag, sizeof reply->etag, "\"%s%s\"", a->hash, reply->gzipped ? "-gzip" : "");
		reply->cache = strcmp(r->query, a->hash) == 0 ? CACHE_IMMUTABLE : CACHE_REVALIDATE;
		reply->bytes = reply->gzipped ? a->gzip : a->bytes;
		reply->n_bytes = reply->gzipped ? a->n_gzip : a->n_bytes;
		if (r->if_none_match && strstr(r->if_none_match, reply->etag))
			reply->http_status = 304;
		return OK;
	}
	return err_set(err, NOT_FOUND, "there is no page %.100s here", r->path);
}

static enum status handle_root(struct request *r, struct reply *reply, struct err *err)
{
	return serve_asset(r, "index.html", reply, err);
}

static enum status handle_static(struct request *r, struct reply *reply, struct err *err)
{
	return serve_asset(r, r->args[0], reply, err);
}

/* Whether the one who asks has or had the photograph's subject, or is an expert of its project. */
static enum status check_media(
	const struct request *r, int64_t project_id, bool had, struct err *err)
{
	bool may = had;
	enum status st = may ? OK : role_has(r->db, project_id, &r->volunteer, "expert", &may, err);
	if (st == OK && !may)
		return err_set(err, DENIED, "this photograph was not given to you, or is hidden");
	return st;
}

static enum status handle_media(struct request *r, struct reply *reply, struct err *err)
{
	char path[2300];
	char hex[65];
	int64_t id = 0;
	struct stmt *row = NULL;
	size_t n = 0;
	bool small = strcmp(r->args[1], "320.jpg") == 0;
	if (!small && strcmp(r->args[1], "1280.jpg") != 0)
		return err_set(err, NOT_FOUND, "there is no such size: 1280.jpg or 320.jpg");
	enum status st = arg_id(r, 0, &id, err);
	if (st == OK)
		st = db_one(r->db, Q_PAGE_MEDIA, &row, err, "ii", id, r->volunteer.id);
	if (st == NOT_FOUND)
		return err_set(err, NOT_FOUND, "there is no photograph %.20s", r->args[0]);
	if (st != OK)
		return st;
	int64_t project_id = col_int(row, 0);
	const void *sha256 = col_blob(row, 1, &n);
	sodium_bin2hex(hex, sizeof hex, sha256, n); /* the schema says 32 bytes */
	int crop = (int)col_int(row, 2);
	bool had = col_int(row, 3) != 0;
	db_done(row);
	st = check_media(r, project_id, had, err);
	if (st != OK)
		return st;
	snprintf(path, sizeof path, "%.2000s/renditions/%s/%.2s/%s-%d.jpg", r->app->dir,
		small ? "320" : "1280", hex, hex, crop);
	reply->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reply->fd < 0)
		return err_set(err, errno == ENOENT ? NOT_FOUND : FAULT,
			"the rendition of photograph %lld cannot be read: %s", (long long)id, strerror(errno));
	reply->has_file = true;
	reply->type = "image/jpeg";
	reply->cache = CACHE_PRIVATE_IMMUTABLE;
	return OK;
}

static enum status handle_health(struct request *r, struct reply *reply, struct err *err)
{
	(void)r;
	(void)err;
	reply->json = json_pack("{s:b, s:s}", "ok", 1, "version", TOPI_VERSION);
	return OK;
}

const struct route page_routes[] = {
	{"GET", "/", WHO_ANYONE, BODY_NONE, handle_root},
	{"GET", "/static/*", WHO_ANYONE, BODY_NONE, handle_static},
	{"GET", "/media/{id}/{size}", WHO_SESSION, BODY_NONE, handle_media},
	{"GET", "/healthz", WHO_ANYONE, BODY_NONE, handle_health},
	{0},
};
