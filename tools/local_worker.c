/* The child is watched by one thread, which also forks it: the kernel's death signal is tied to that thread's life. */
#include "local_worker.h"

#include "command.h"
#include "db.h"
#include "volunteer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TOKEN_FD = 3, LOOK_MS = 200, MAX_PAUSE_MS = 30000, END_MS = 4000 };
enum { LEND_MS = 24 * 3600 * 1000 };

struct local_worker {
	char *dir, *url, *device;
	bool quiet;
	char token[SECRET_SIZE], token_name[60];
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop;
};

/* Between fork and exec: only what a signal handler may do. */
static void become_worker(char *const *argv, char *const *env, int token, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(EXIT_FAILED);
	if (token == TOKEN_FD ? fcntl(TOKEN_FD, F_SETFD, 0) != 0 : dup2(token, TOKEN_FD) != TOKEN_FD)
		_exit(EXIT_FAILED);
	execve("/proc/self/exe", argv, env);
	_exit(EXIT_FAILED);
}

/*
 * The environment, and that threads which wait for each other sleep: OpenMP's own default is to spin, which on a machine
 * that also serves pages takes the processor from those who would end the wait. Owns: free() the list.
 */
static char **make_environment(void)
{
	size_t n = 0;
	while (environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof *env);
	memcpy(env, environ, n * sizeof *env);
	if (!getenv("OMP_WAIT_POLICY"))
		env[n] = "OMP_WAIT_POLICY=passive";
	return env;
}

static pid_t spawn(const struct local_worker *w)
{
	char name[60];
	int ends[2];
	snprintf(name, sizeof name, "%s", w->token_name);
	char *argv[] = {"topi", "worker", w->url, "--token-file", "/dev/fd/3", "--media", w->dir,
		"--device", w->device, "--name", name, w->quiet ? "--quiet" : NULL, NULL};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	ssize_t n = write(ends[1], w->token, strlen(w->token)); /* fits any pipe */
	close(ends[1]);
	char **env = make_environment();
	pid_t parent = getpid(), child = n == (ssize_t)strlen(w->token) ? fork() : -1;
	if (child == 0)
		become_worker(argv, env, ends[0], parent);
	free(env);
	close(ends[0]);
	return child;
}

/* Waits up to ms, less when stopped; the mutex is held. */
static void wait_ms(struct local_worker *w, long ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!w->stop && pthread_cond_timedwait(&w->wake, &w->mutex, &until) == 0)
		continue;
}

static void end_child(pid_t child)
{
	kill(child, SIGTERM);
	for (int ms = 0; ms < END_MS; ms += 20) {
		if (waitpid(child, NULL, WNOHANG) != 0)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static enum status with_token(const struct local_worker *w, bool add, struct err *err)
{
	struct db *db = NULL;
	enum status st = db_open(w->dir, DB_WRITE, &db, err);
	if (st == OK)
		st = db_begin(db, err);
	if (st == OK && add)
		st = token_lend(db, w->token_name, w->token, now_ms(), err);
	else if (st == OK)
		st = token_drop(db, w->token_name, err);
	if (st == OK)
		st = db_commit(db, err);
	db_close(db);
	return st;
}

/* For every child, and daily: either may go on for longer than it is lent, and another program clean up. */
static void lend_again(const struct local_worker *w)
{
	struct err err = {0};
	if (with_token(w, true, &err) != OK && !w->quiet)
		fprintf(stderr, "topi: the local worker's token: %s\n", err.text);
}

static void *watch(void *arg)
{
	struct local_worker *w = arg;
	long pause = 500;
	pthread_mutex_lock(&w->mutex);
	while (!w->stop) {
		lend_again(w);
		pid_t child = spawn(w);
		int64_t started = now_ms(), lent = started;
		pid_t ended = 0;
		while (child > 0 && !w->stop && (ended = waitpid(child, NULL, WNOHANG)) == 0) {
			if (now_ms() - lent > LEND_MS) {
				lend_again(w);
				lent = now_ms();
			}
			wait_ms(w, LOOK_MS);
		}
		if (child > 0 && ended == 0)
			end_child(child);
		pause = now_ms() - started > MAX_PAUSE_MS ? 500 : pause * 2;
		pause = pause < MAX_PAUSE_MS ? pause : MAX_PAUSE_MS;
		if (!w->stop && !w->quiet)
			fprintf(stderr, "topi: the local worker ended; another starts in %ld ms\n", pause);
		wait_ms(w, pause);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static void free_all(struct local_worker *w)
{
	free(w->dir);
	free(w->url);
	free(w->device);
	free(w);
}

enum status local_worker_start(
	const struct local_worker_options *options, struct local_worker **out, struct err *err)
{
	pthread_condattr_t attr;
	struct local_worker *w = xcalloc(1, sizeof *w);
	w->dir = xstrdup(options->dir);
	w->url = xstrdup(options->url);
	w->device = xstrdup(options->device);
	w->quiet = options->quiet;
	secret_make(w->token);
	snprintf(w->token_name, sizeof w->token_name, "local-%.8s", w->token + 32);
	secret_make(w->token); /* the name tells nothing of the token */
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	enum status st = with_token(w, true, err); /* a directory that cannot be written is told here */
	if (st == OK && pthread_create(&w->thread, NULL, watch, w) != 0)
		st = err_set(err, FAULT, "no thread for the local worker");
	if (st != OK)
		free_all(w);
	else
		*out = w;
	return st;
}

void local_worker_stop(struct local_worker *w)
{
	struct err err = {0};
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	if (with_token(w, false, &err) != OK)
		fprintf(stderr, "topi: the local worker's token stays: %s\n", err.text);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->wake);
	free_all(w);
}
