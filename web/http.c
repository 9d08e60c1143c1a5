/* What every handler shares: failures as replies, addresses decoded, bodies read by name. */
#include "http.h"

#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The one place where a status becomes an HTTP status. */
int http_status(enum status status, bool known)
{
	switch (status) {
	case OK:
		return 200;
	case NOT_FOUND:
		return 404;
	case BAD_INPUT:
		return 400;
	case TOO_LARGE:
		return 413;
	case DENIED:
		return known ? 403 : 401;
	case CONFLICT:
		return 409;
	case BUSY:
		return 503;
	case FULL:
		return 507;
	case FAULT:
		return 500;
	}
	return 500;
}

const char *http_reason(int code)
{
	static const struct {
		int code;
		const char *text;
	} reasons[] = {{200, "OK"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
		{403, "Forbidden"}, {404, "Not Found"}, {409, "Conflict"}, {413, "Content Too Large"},
		{429, "Too Many Requests"}, {500, "Internal Server Error"}, {503, "Service Unavailable"},
		{507, "Insufficient Storage"}};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Unknown";
}

enum status http_limit(const struct request *r, struct reply *reply, enum limit_kind kind,
	const char *key, struct err *err)
{
	key = limit_by_address(kind) ? r->address : key;
	if (!r->address[0] && kind != LIMIT_LOGIN && kind != LIMIT_LOGIN_NAME)
		return OK; /* from this machine: its operator, a test, a simulation */
	reply->retry_s = limit_take(r->app->limits, kind, key, r->now_ms);
	return reply->retry_s == 0
		? OK
		: err_set(err, BUSY, "that was too often: try again in %d seconds", reply->retry_s);
}

void http_problem(const struct err *err, bool known, struct reply *reply)
{
	bool busy = err->status == BUSY;
	int retry_s = busy ? reply->retry_s : 0;
	reply_release(reply);
	*reply = (struct reply){.http_status = retry_s ? 429 : http_status(err->status, known),
		.json = json_pack("{s:s, s:s}", "status", status_name(err->status), "error", err->text),
		.retry_s = busy && !retry_s ? 1 : retry_s};
	if (!reply->json) /* the text was cut inside a character */
		reply->json = json_pack(
			"{s:s, s:s}", "status", status_name(err->status), "error", "bad text");
}

void reply_release(struct reply *reply)
{
	json_decref(reply->json);
	reply->json = NULL;
	if (reply->has_file)
		close(reply->fd);
	reply->has_file = false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum status url_decode(const char *in, size_t n, char *out, size_t size, struct err *err)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		int byte = (unsigned char)in[i];
		if (in[i] == '%') {
			int high = i + 2 < n ? hex_digit(in[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(in[i + 2]) : -1;
			if (high < 0 || low < 0)
				return err_set(err, BAD_INPUT, "the address has a %% that is no escape");
			byte = high * 16 + low;
			i += 2;
		}
		if (byte < 32 || byte == 127)
			return err_set(err, BAD_INPUT, "the address has a control character");
		if (m + 1 >= size)
			return err_set(err, TOO_LARGE, "a part of the address is over %zu bytes", size - 1);
		out[m++] = (char)byte;
	}
	out[m] = 0;
	json_t *text = json_stringn(out, m); /* NULL for what is not UTF-8 */
	if (!text)
		return err_set(err, BAD_INPUT, "the address is not UTF-8");
	json_decref(text);
	return OK;
}

enum status query_get(
	const struct request *r, const char *name, char *out, size_t size, struct err *err)
{
	size_t n_name = strlen(name);
	for (const char *p = r->query; *p;) {
		size_t n = strcspn(p, "&");
		if (n > n_name && strncmp(p, name, n_name) == 0 && p[n_name] == '=')
			return url_decode(p + n_name + 1, n - n_name - 1, out, size, err);
		p += n + (p[n] == '&');
	}
	return err_set(err, NOT_FOUND, "the address lacks ?%s=", name);
}

enum status body_text(const struct request *r, const char *name, const char **out, struct err *err)
{
	const json_t *value = json_object_get(r->json, name);
	if (!json_is_string(value))
		return err_set(err, BAD_INPUT, "\"%s\" is missing or no text", name);
	*out = json_string_value(value);
	return OK;
}

enum status body_int(const struct request *r, const char *name, int64_t low, int64_t high,
	int64_t *out, struct err *err)
{
	const json_t *value = json_object_get(r->json, name);
	json_int_t number = json_integer_value(value);
	if (!json_is_integer(value) || number < low || number > high)
		return err_set(err, BAD_INPUT, "\"%s\" must be a whole number from %lld to %lld", name,
			(long long)low, (long long)high);
	*out = number;
	return OK;
}

enum status arg_id(const struct request *r, int arg, int64_t *out, struct err *err)
{
	const char *text = r->args[arg];
	size_t n = strlen(text);
	if (n == 0 || n > 18 || strspn(text, "0123456789") != n || text[0] == '0')
		return err_set(err, NOT_FOUND, "'%.40s' is no id", text);
	*out = strtoll(text, NULL, 10);
	return OK;
}

void time_text(int64_t ms, char out[32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm t;
	char seconds[24];
	gmtime_r(&s, &t);
	strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(out, 32, "%s.%03dZ", seconds, (int)(ms % 1000));
}
