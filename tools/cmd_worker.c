/* topi worker URL: takes predictions and trainings from a server and runs them here. */
#include "commands.h"
#include "worker.h"
#include "worker_here.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A token's file: one line. A pipe is as good. */
static enum status read_token(const char *path, char *out, size_t size, struct err *err)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return err_set(err, NOT_FOUND, "the token file %.120s: %s", path, strerror(errno));
	size_t n = fread(out, 1, size - 1, in);
	fclose(in);
	out[n] = 0;
	out[strcspn(out, "\r\n \t")] = 0;
	return out[0] ? OK : err_set(err, BAD_INPUT, "the token file %.120s is empty", path);
}

static enum status read_options(
	int argc, char **argv, struct worker_options *o, const char **token_file, struct err *err)
{
	for (int i = 1; i < argc; i++) {
		const char **value = strcmp(argv[i], "--token-file") == 0 ? token_file
			: strcmp(argv[i], "--device") == 0                    ? &o->device
			: strcmp(argv[i], "--media") == 0                     ? &o->media
			: strcmp(argv[i], "--name") == 0                      ? &o->name
																  : NULL;
		if (value && i + 1 == argc)
			return err_set(err, BAD_INPUT, "%s wants a value", argv[i]);
		if (value)
			*value = argv[++i];
		else if (strcmp(argv[i], "--once") == 0)
			o->once = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			o->quiet = true;
		else if (argv[i][0] == '-' || o->url)
			return err_set(err, BAD_INPUT, "worker does not know '%.60s' here", argv[i]);
		else
			o->url = argv[i];
	}
	if (!o->url || !*token_file)
		return err_set(err, BAD_INPUT, "worker takes a server's URL and --token-file FILE");
	if (strncmp(o->url, "http://", 7) != 0 && strncmp(o->url, "https://", 8) != 0)
		return err_set(
			err, BAD_INPUT, "'%.60s': a URL like http://127.0.0.1:8080 is wanted", o->url);
	return o->device ? parse_device(o->device, err) : OK;
}

int cmd_worker(int argc, char **argv)
{
	struct err err = {0};
	struct worker_options o = {.stop = worker_stop_on_signal()};
	const char *token_file = NULL;
	struct ranks_place place;
	char token[300], device[20], name[90], host[60] = "worker", cache[900];
	if (read_options(argc, argv, &o, &token_file, &err) != OK)
		return cmd_usage("%s", err.text);
	gethostname(host, sizeof host - 1);
	snprintf(name, sizeof name, "%s-%ld", host, (long)getpid());
	if (!o.name)
		o.name = name;
	if (read_token(token_file, token, sizeof token, &err) != OK ||
		worker_cache_dir(cache, sizeof cache, &err) != OK)
		return cmd_fail(&err);
	o.token = token;
	o.cache = cache;
	if (ranks_place(&place, &err) != OK ||
		(place.n_ranks > 1 && place.rank == 0 && ranks_meet(&place, o.quiet, &o.ranks, &err) != OK))
		return cmd_fail(&err);
	if (o.ranks)
		ranks_device(&place, &o.device, device, sizeof device);
	enum status st = worker_run(&o, &err);
	ranks_close(o.ranks);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
