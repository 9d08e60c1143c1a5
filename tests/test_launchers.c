/* labels: peer; timeout: 240 */
/*
 * `topi train` under each launcher that is here, two ranks on one machine: mpirun, torchrun, and the variables that Slurm's
 * srun sets. Whoever starts them, the model has the same bytes, and they are not those of one process alone.
 */
#include "support_command.h"
#include "support_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct frames frames;
static int port;

/* $T: the command, $P: a port, $L: a folder. is_here fails where the launcher is not installed. */
static const struct row {
	const char *name, *is_here, *line;
} rows[] = {
	{"RANK and WORLD_SIZE by hand", "true",
		"export WORLD_SIZE=2 MASTER_PORT=$P; RANK=1 $T & RANK=0 $T; own=$?; wait $! && exit $own"},
	{"mpirun", "command -v mpirun",
		"MASTER_PORT=$P mpirun --allow-run-as-root --oversubscribe --bind-to none -np 2 $T"},
	/* redirected and shown: PyTorch 1.13's "neither" is broken on Python 3.11 */
	{"torchrun", "/usr/bin/python3 -c 'import torch.distributed.run'",
		"/usr/bin/python3 -m torch.distributed.run --nproc_per_node 2 --master_port $P "
		"--redirects 1 --tee 1 --log_dir $L --no_python $T"},
	{"Slurm's variables", "true",
		"export SLURM_STEP_NUM_TASKS=2 SLURM_JOB_NUM_NODES=1 MASTER_PORT=$P; "
		"SLURM_PROCID=1 SLURM_LOCALID=1 $T & SLURM_PROCID=0 SLURM_LOCALID=0 $T; "
		"own=$?; wait $! && exit $own"},
};

/* The hash of the model that comes of a training in a copy of the data directory. */
static void train(const char *line, char hash[65])
{
	char text[2000] = "", copy[100];
	snprintf(copy, sizeof copy, "%s-copy", frames.dir);
	assert_int_equal(command("rm -rf %s && cp -r %s %s", copy, frames.dir, copy), 0);
	port += 3;
	for (const char *at = line; *at; at++) {
		size_t n = strlen(text);
		if (at[0] == '$' && at[1] == 'T')
			snprintf(text + n, sizeof text - n,
				TOPI " train %s p --arch resnet10s --epochs 2 --seed 4 --device cpu --json", copy);
		else if (at[0] == '$' && at[1] == 'P')
			snprintf(text + n, sizeof text - n, "%d", port);
		else if (at[0] == '$' && at[1] == 'L')
			snprintf(text + n, sizeof text - n, "%s/log", copy);
		else
			snprintf(text + n, sizeof text - n, "%c", *at);
		at += at[0] == '$' && strchr("TPL", at[1]);
	}
	int code = command("export OMP_NUM_THREADS=1 XDG_CACHE_HOME=%s/cache; (%s) 2>&1", copy, text);
	if (code != 0)
		fail_msg("exit code %d: %s", code, command_out);
	assert_non_null(strstr(command_out, "\"state\":\"done\""));
	assert_int_equal(command("sqlite3 %s/topi.db \"SELECT count(*) FROM job WHERE kind = 'train'; "
							 "SELECT lower(hex(sha256)) FROM model WHERE name <> 'start'\"",
						 copy),
		0);
	/* one job, one model */
	assert_int_equal(strlen(command_out), 2 + 64 + 1);
	assert_memory_equal(command_out, "1\n", 2);
	snprintf(hash, 65, "%.64s", command_out + 2);
	assert_int_equal(command("rm -rf %s", copy), 0);
}

static char by_hand[65];

static void two_ranks_make_one_model(void **state)
{
	const struct row *row = *state;
	char hash[65];
	if (command("%s >/dev/null 2>&1", row->is_here) != 0) {
		print_message("skipped: %s is not installed\n", row->name);
		skip();
	}
	train(row->line, hash);
	if (row == rows)
		memcpy(by_hand, hash, sizeof by_hand);
	assert_string_equal(hash, by_hand);
}

static void alone_it_is_another(void **state)
{
	(void)state;
	char hash[65];
	train("$T", hash);
	assert_string_not_equal(hash, by_hand);
}

int main(void)
{
	enum { N_ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest tests[N_ROWS + 1];
	for (int i = 0; i < N_ROWS; i++)
		tests[i] = (struct CMUnitTest){
			rows[i].name, two_ranks_make_one_model, NULL, NULL, (void *)(uintptr_t)&rows[i]};
	tests[N_ROWS] = (struct CMUnitTest)cmocka_unit_test(alone_it_is_another);
	port = 20000 + (int)(getpid() % 20000);
	frames_open(&frames, 60000);
	frames_label(&frames);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	frames_close(&frames);
	return failed;
}
