/* fork, exec, wait. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOP_TRIES = 400, STOP_PAUSE_NS = 50000000 };

static enum status start(
	const char *log, const char *const *argv, int out_fd, pid_t *out, struct err *err)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(err, FAULT, "cannot write %s: %m", log);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(127); /* the parent ended before the line above */
		dup2(out_fd >= 0 ? out_fd : fd, 1);
		dup2(fd, 2);
		char *const *args;
		memcpy(&args, &argv, sizeof args); /* execvp changes nothing, but says char *const */
		execvp(argv[0], args);
		fprintf(stderr, "cannot run %s: %m\n", argv[0]);
		_exit(127);
	}
	close(fd);
	if (pid < 0)
		return err_set(err, FAULT, "cannot start a process: %m");
	*out = pid;
	return OK;
}

static char *read_all(int fd)
{
	size_t n = 0, room = 4096;
	char *text = xmalloc(room);
	ssize_t got;
	while ((got = read(fd, text + n, room - n - 1)) > 0 || (got < 0 && errno == EINTR)) {
		n += got > 0 ? (size_t)got : 0;
		if (room - n < 2)
			text = xrealloc(text, room *= 2);
	}
	text[n] = 0;
	return text;
}

/* The last line that the log has after `from`: what the program said went wrong. */
static void last_line(const char *log, off_t from, char *out, size_t size)
{
	snprintf(out, size, "it said nothing");
	FILE *in = fopen(log, "r");
	if (!in)
		return;
	char line[400];
	fseeko(in, from, SEEK_SET);
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			snprintf(out, size, "%.150s", line);
	}
	fclose(in);
}

static off_t size_of(const char *log)
{
	FILE *in = fopen(log, "r");
	if (!in)
		return 0;
	fseeko(in, 0, SEEK_END);
	off_t size = ftello(in);
	fclose(in);
	return size;
}

enum status child_run(const char *log, const char *const *argv, char **out, struct err *err)
{
	int ends[2];
	pid_t pid = 0;
	off_t from = size_of(log);
	if (out)
		*out = NULL;
	if (pipe2(ends, O_CLOEXEC))
		return err_set(err, FAULT, "cannot make a pipe: %m");
	enum status st = start(log, argv, ends[1], &pid, err);
	close(ends[1]);
	char *text = st == OK ? read_all(ends[0]) : NULL;
	close(ends[0]);
	if (out)
		*out = text;
	else
		free(text);
	if (st != OK)
		return st;
	int how = 0;
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
		return OK;
	char said[160];
	last_line(log, from, said, sizeof said);
	return err_set(err, FAULT, "%s %s failed: %s", argv[0], argv[1] ? argv[1] : "", said);
}

enum status child_start(const char *log, const char *const *argv, pid_t *out, struct err *err)
{
	return start(log, argv, -1, out, err);
}

int child_runs(pid_t *pid)
{
	if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) == *pid)
		*pid = 0;
	return *pid > 0;
}

void child_stop(pid_t *pid)
{
	static const struct timespec pause = {0, STOP_PAUSE_NS};
	if (*pid <= 0)
		return;
	kill(*pid, SIGTERM);
	for (int i = 0; i < STOP_TRIES && child_runs(pid); i++)
		nanosleep(&pause, NULL);
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}
