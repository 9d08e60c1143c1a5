/* Launchers' variables, and a star of sockets around rank 0. */
#include "ranks.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RANKS = 1024, DEFAULT_PORT = 29500 };

static const char greeting[8] = "topi-r1";

struct ranks {
	struct backend_ranks backend;
	int *sockets; /* [n_ranks] of rank 0: by rank, its own -1; others: [0] is rank 0's */
	float *other; /* rank 0: what a rank sent */
	size_t n_room;
};

static enum status number(const char *name, int low, int high, int *out, struct err *err)
{
	const char *text = getenv(name);
	char *end = NULL;
	long n = text ? strtol(text, &end, 10) : low - 1;
	if (!text || !*text || *end || n < low || n > high)
		return err_set(err, BAD_INPUT, "%s is '%.40s': wanted a number of %d to %d", name,
			text ? text : "", low, high);
	*out = (int)n;
	return OK;
}

enum status ranks_place(struct ranks_place *out, struct err *err)
{
	static const struct {
		const char *rank, *size, *local;
	} launchers[] = {{"RANK", "WORLD_SIZE", "LOCAL_RANK"},
		{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
		{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"}};
	const char *host = getenv("MASTER_ADDR"), *n_nodes = getenv("SLURM_JOB_NUM_NODES");
	*out = (struct ranks_place){.n_ranks = 1, .port = DEFAULT_PORT + 1};
	size_t i = 0, n = sizeof launchers / sizeof *launchers;
	while (i < n && !(getenv(launchers[i].rank) && getenv(launchers[i].size)))
		i++;
	if (i == n)
		return OK;
	enum status st = number(launchers[i].size, 1, MAX_RANKS, &out->n_ranks, err);
	if (st == OK)
		st = number(launchers[i].rank, 0, out->n_ranks - 1, &out->rank, err);
	out->local_rank = out->rank;
	if (st == OK && getenv(launchers[i].local))
		st = number(launchers[i].local, 0, out->n_ranks - 1, &out->local_rank, err);
	if (st == OK && getenv("MASTER_PORT")) {
		st = number("MASTER_PORT", 1, 65534, &out->port, err);
		out->port++;
	}
	bool is_spread = out->local_rank != out->rank || (i == 2 && n_nodes && strcmp(n_nodes, "1"));
	if (st == OK && !host && is_spread)
		st = err_set(
			err, BAD_INPUT, "ranks on several machines: MASTER_ADDR must name the one of rank 0");
	snprintf(out->host, sizeof out->host, "%s", host ? host : "127.0.0.1");
	return st;
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static enum status gone(const char *what, struct err *err)
{
	return err_set(err, FAULT, "another rank is gone: %s: %s", what,
		errno ? strerror(errno) : "its end of the socket is closed");
}

static enum status put(int fd, const void *bytes, size_t n, struct err *err)
{
	const char *at = bytes;
	while (n > 0) {
		errno = 0;
		ssize_t done = send(fd, at, n, MSG_NOSIGNAL);
		if (done <= 0 && errno != EINTR)
			return gone("sending", err);
		at += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return OK;
}

static enum status get(int fd, void *bytes, size_t n, struct err *err)
{
	char *at = bytes;
	while (n > 0) {
		errno = 0;
		ssize_t done = recv(fd, at, n, 0);
		if (done <= 0 && errno != EINTR)
			return gone("receiving", err);
		at += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return OK;
}

static void settle(int fd)
{
	int on = 1;
	struct timeval never = {0};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* Whoever knocks: a rank that is waited for, or a stranger, who is turned away. Returns whether it is one. */
static bool let_in(struct ranks *r, int door)
{
	int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	char hello[sizeof greeting];
	int32_t who[2] = {0};
	struct timeval soon = {.tv_sec = 5};
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
	if (fd < 0 || get(fd, hello, sizeof hello, NULL) || get(fd, who, sizeof who, NULL) ||
		memcmp(hello, greeting, sizeof hello) || who[1] != r->backend.n_ranks || who[0] < 1 ||
		who[0] >= r->backend.n_ranks || r->sockets[who[0]] >= 0 ||
		put(fd, greeting, sizeof greeting, NULL)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	settle(fd);
	r->sockets[who[0]] = fd;
	return true;
}

/* Rank 0: takes the others in. One that is there says nothing yet: what is heard of it is its end. */
static enum status welcome(struct ranks *r, int door, double patience_s, struct err *err)
{
	const int n = r->backend.n_ranks;
	const double until_s = now_s() + patience_s;
	struct pollfd *waits = xmalloc((size_t)n * sizeof *waits);
	enum status st = OK;
	for (int n_left = n - 1; st == OK && n_left > 0;) {
		double left_s = until_s - now_s();
		waits[0] = (struct pollfd){.fd = door, .events = POLLIN};
		for (int i = 1; i < n; i++) /* poll leaves out what is below 0 */
			waits[i] = (struct pollfd){.fd = r->sockets[i], .events = POLLIN};
		if (left_s <= 0)
			st = err_set(err, BUSY,
				"%d of %d ranks did not come within %.0f s: every one is started with "
				"the same command by one launcher",
				n_left, n, patience_s);
		else if (poll(waits, (nfds_t)n, (int)(left_s * 1000) + 1) > 0) {
			for (int i = 1; st == OK && i < n; i++)
				if (waits[i].revents)
					st = err_set(err, FAULT,
						"rank %d is gone, while %d of %d ranks were waited for", i, n_left, n);
			if (st == OK && waits[0].revents)
				n_left -= let_in(r, door);
		}
	}
	free(waits);
	return st;
}

static enum status knock(struct ranks *r, const struct ranks_place *place,
	const struct addrinfo *at, double patience_s, struct err *err)
{
	const double until_s = now_s() + patience_s;
	int32_t who[2] = {r->backend.rank, r->backend.n_ranks};
	char hello[sizeof greeting];
	for (;;) {
		int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct timeval soon = {.tv_sec = 5};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
		if (fd >= 0 && !connect(fd, at->ai_addr, at->ai_addrlen) &&
			!put(fd, greeting, sizeof greeting, NULL) && !put(fd, who, sizeof who, NULL) &&
			!get(fd, hello, sizeof hello, NULL) && !memcmp(hello, greeting, sizeof hello)) {
			settle(fd);
			r->sockets[0] = fd;
			return OK;
		}
		if (fd >= 0)
			close(fd);
		if (now_s() > until_s)
			return err_set(err, BUSY, "rank 0 does not answer at %.100s port %d within %.0f s",
				place->host, place->port, patience_s);
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

static enum status sum(void *arg, float *at, size_t n, struct err *err)
{
	return ranks_sum(arg, at, n, err);
}

enum status ranks_open(
	const struct ranks_place *place, double patience_s, struct ranks **out, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char port[16];
	int on = 1, door = -1;
	struct ranks *r = xcalloc(1, sizeof *r);
	r->backend = (struct backend_ranks){
		.rank = place->rank, .n_ranks = place->n_ranks, .sum = sum, .arg = r};
	r->sockets = xmalloc((size_t)place->n_ranks * sizeof *r->sockets);
	for (int i = 0; i < place->n_ranks; i++)
		r->sockets[i] = -1;
	snprintf(port, sizeof port, "%d", place->port);
	enum status st = OK;
	int why = getaddrinfo(place->host, port, &hints, &found);
	if (why)
		st = err_set(err, BAD_INPUT, "MASTER_ADDR '%.100s': %s", place->host, gai_strerror(why));
	if (st == OK && place->rank == 0) {
		door = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(door, found->ai_addr, found->ai_addrlen) || listen(door, MAX_RANKS))
			st = err_set(err, BAD_INPUT, "rank 0 cannot listen on %.100s port %s: %s", place->host,
				port, strerror(errno));
		else
			st = welcome(r, door, patience_s, err);
	} else if (st == OK) {
		st = knock(r, place, found, patience_s, err);
	}
	if (door >= 0)
		close(door);
	if (found)
		freeaddrinfo(found);
	if (st == OK)
		*out = r;
	else
		ranks_close(r);
	return st;
}

void ranks_close(struct ranks *r)
{
	if (!r)
		return;
	for (int i = 0; i < r->backend.n_ranks; i++)
		if (r->sockets[i] >= 0)
			close(r->sockets[i]);
	free(r->sockets);
	free(r->other);
	free(r);
}

const struct backend_ranks *ranks_backend(const struct ranks *ranks)
{
	return &ranks->backend;
}

enum status ranks_share(struct ranks *r, void **bytes, size_t *n, struct err *err)
{
	uint64_t size = *n;
	enum status st = OK;
	if (r->backend.rank == 0) {
		for (int i = 1; i < r->backend.n_ranks && !st; i++) {
			st = put(r->sockets[i], &size, sizeof size, err);
			if (!st)
				st = put(r->sockets[i], *bytes, *n, err);
		}
		return st;
	}
	st = get(r->sockets[0], &size, sizeof size, err);
	if (!st && size > (uint64_t)1 << 30)
		st = err_set(err, TOO_LARGE, "rank 0 shares %llu bytes", (unsigned long long)size);
	if (st)
		return st;
	*bytes = xcalloc(1, size + 1);
	*n = size;
	st = get(r->sockets[0], *bytes, size, err);
	if (st) {
		free(*bytes);
		*bytes = NULL;
	}
	return st;
}

enum status ranks_sum(struct ranks *r, float *at, size_t n, struct err *err)
{
	enum status st = OK;
	if (r->backend.rank != 0) {
		st = put(r->sockets[0], at, n * sizeof *at, err);
		return st ? st : get(r->sockets[0], at, n * sizeof *at, err);
	}
	if (n > r->n_room) {
		r->other = xrealloc(r->other, n * sizeof *at);
		r->n_room = n;
	}
	for (int i = 1; i < r->backend.n_ranks && !st; i++) {
		st = get(r->sockets[i], r->other, n * sizeof *at, err);
		for (size_t j = 0; j < n && !st; j++)
			at[j] += r->other[j];
	}
	for (int i = 1; i < r->backend.n_ranks && !st; i++)
		st = put(r->sockets[i], at, n * sizeof *at, err);
	return st;
}
