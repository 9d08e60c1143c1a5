/*
 * topi serve DIR: the web server, and a worker beside it, until SIGTERM or SIGINT.
 */
#include "commands.h"
#include "local_worker.h"
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct serve_options {
	struct server_options server;
	const char *worker;
};

static enum status read_options(int argc, char **argv, struct serve_options *o, struct err *err)
{
	static const char *const workers[] = {"auto", "cpu", "cuda", "none"};
	const char *people = NULL;
	*o = (struct serve_options){.server = {.listen = "127.0.0.1:8080"}, .worker = "auto"};
	for (int i = 1; i < argc; i++) {
		bool wants = strcmp(argv[i], "--listen") == 0 || strcmp(argv[i], "--worker") == 0 ||
			strcmp(argv[i], "--people-per-address") == 0;
		if (wants && i + 1 == argc)
			return err_set(err, BAD_INPUT, "%s wants a value", argv[i]);
		if (strcmp(argv[i], "--verbose") == 0)
			o->server.verbose = true;
		else if (strcmp(argv[i], "--behind-proxy") == 0)
			o->server.behind_proxy = true;
		else if (strcmp(argv[i], "--people-per-address") == 0)
			people = argv[++i];
		else if (strcmp(argv[i], "--listen") == 0)
			o->server.listen = argv[++i];
		else if (strcmp(argv[i], "--worker") == 0)
			o->worker = argv[++i];
		else if (argv[i][0] == '-' || o->server.dir)
			return err_set(err, BAD_INPUT, "serve does not know '%.60s' here", argv[i]);
		else
			o->server.dir = argv[i];
	}
	if (!o->server.dir)
		return err_set(err, BAD_INPUT, "serve takes a data directory");
	int64_t n = 0;
	if (people &&
		parse_int("--people-per-address", people, 1, MAX_PEOPLE_PER_ADDRESS, &n, err) != OK)
		return err->status;
	o->server.people = (int)n;
	for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
		if (strcmp(o->worker, workers[i]) == 0)
			return OK;
	return err_set(
		err, BAD_INPUT, "--worker is '%.40s': auto, cpu, cuda or none is wanted", o->worker);
}

/* The signals that end us are blocked before any thread starts, so that only this wait sees them. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void wait_for_signal(const sigset_t *set)
{
	int signal = 0;
	while (sigwait(set, &signal) == EINTR)
		;
}

int cmd_serve(int argc, char **argv)
{
	struct err err = {0};
	struct serve_options o;
	struct server *server = NULL;
	struct local_worker *worker = NULL;
	sigset_t set;
	if (read_options(argc, argv, &o, &err) != OK)
		return cmd_usage("%s", err.text);
	block_signals(&set);
	enum status st = server_start(&o.server, &server, &err);
	if (st == OK && strcmp(o.worker, "none") != 0)
		st = local_worker_start(&(struct local_worker_options){.dir = o.server.dir,
									.url = server_url(server),
									.device = o.worker,
									.quiet = !o.server.verbose},
			&worker, &err);
	if (st == OK) {
		printf("topi: serving %s at %s\n", o.server.dir, server_url(server));
		fflush(stdout);
		wait_for_signal(&set);
	}
	local_worker_stop(worker);
	server_stop(server);
	if (st == BAD_INPUT) /* an address that is none */
		return cmd_usage("%s", err.text);
	return st == OK ? EXIT_DONE : cmd_fail(&err);
}
