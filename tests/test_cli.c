/* labels: fault; timeout: 300 */
/* Command lines as people mistype them, and files as they come: each gets one clear line, the right exit code, and
 * leaves the data directory as it was. */
#include "support_command.h"
#include "support_photo.h"
#include "support_project.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* $D: the data directory, $F: a folder of files, $N: a data directory of a newer topi, $P: a busy port. */
static const struct row {
	const char *line;
	int code;
	const char *says;
} rows[] = {
	/* usage: exit code 2 */
	{"frobnicate", 2, "no command 'frobnicate'"},
	{"help frobnicate", 2, "no command 'frobnicate'"},
	{"init", 2, "one directory"},
	{"init --fast", 2, "one directory"},
	{"init $F/a $F/b", 2, "one directory"},
	{"serve", 2, "data directory"},
	{"serve $D --fast", 2, "--fast"},
	{"serve $D --listen", 2, "--listen wants a value"},
	{"serve $D --worker none --listen nonsense", 2, "HOST:PORT"},
	{"serve $D --people-per-address 0", 2, "--people-per-address is '0'"},
	{"user invite $D", 2, "invite DIR NAME"},
	{"user invite $D nobody", 1, "no account named 'nobody'"},
	{"project", 2, "project"},
	{"project burn $D", 2, "project"},
	{"project pages $D p", 2, "pages DIR PROJECT FOLDER"},
	{"deployment set $D p D --latitude 300", 2, "-90 to 90"},
	{"deployment set $D p", 2, "deployment"},
	{"policy show $D", 2, "policy"},
	{"import $D p", 2, "PATH"},
	{"import $D p $F --fast", 2, "--fast"},
	{"import $D p $F --gap -5", 2, "--gap is '-5'"},
	{"import $D p $F --gap 1.5", 2, "--gap is '1.5'"},
	{"import $D p $F --crop-bottom many", 2, "--crop-bottom is 'many'"},
	{"import $D p $F --utc-offset +25:00", 2, "+25:00"},
	{"import $D p $F --manifest", 2, "--manifest"},
	{"gold", 2, "gold"},
	{"gold draw $D p --n 0 --purpose certify", 2, "--n is '0'"},
	{"gold draw $D p --fast", 2, "--fast"},
	{"gold draw $D p --n 5 --purpose fun", 2, "'fun'"},
	{"gold draw $D p --n 1 --purpose certify --by-class", 2, "with one probability"},
	{"certificate list", 2, "certificate"},
	{"certificate list $D p 1", 2, "certificate"},
	{"certificate show $D p", 2, "certificate"},
	{"certificate check $D p one", 2, "ID is 'one'"},
	{"replay $D", 2, "replay DIR PROJECT"},
	{"deployment set $D p D --group", 2, "--group needs a value"},
	{"expert list $D", 2, "expert list"},
	{"consensus $D p --dry-run", 2, "go with --refit"},
	{"expert show $D p", 2, "expert list"},
	{"worker", 2, "URL"},
	{"worker nonsense --token-file $F/text.jpg", 2, "nonsense"},
	{"worker http://127.0.0.1:1 --token-file $F/text.jpg --device cudax", 2, "'cudax'"},
	{"predict $D", 2, "project"},
	{"predict $D p q", 2, "a data directory and a project"},
	{"predict $D p --fast", 2, "predict does not know --fast"},
	{"predict --model", 2, "--model needs a value"},
	{"predict $D p --device toaster", 2, "'toaster'"},
	{"train $D", 2, "a data directory and a project"},
	{"train $D p --device toaster", 2, "'toaster'"},
	{"train $D p --fast", 2, "train does not know --fast"},
	{"train $D p --arch", 2, "--arch needs a value"},
	{"train $D p --seed -1", 2, "--seed is '-1'"},
	{"train $D p --mode hand", 2, "--mode is 'hand'"},
	{"train $D p --arch alexnet", 2, "--arch is 'alexnet'"},
	{"train $D p --epochs 0", 2, "--epochs"},
	{"model", 2, "model"},
	{"simulate --stream $F/p.json --tau 2", 2, "--tau is '2'"},
	{"simulate --tau .1", 2, "--tau is for a recorded project: --stream"},
	{"simulate --stream $F/p.json", 2, "--tau T"},
	{"simulate --stream $F/p.json --tau .1 --bot", 2, "--bot is for a simulated project"},
	{"simulate --subjects 12", 2, "--subjects is '12': a whole number from 1000 to 200000"},
	{"simulate --repetitions 0", 2, "--repetitions is '0'"},
	{"simulate --seed -1", 2, "--seed is '-1'"},
	{"simulate --seed", 2, "--seed needs a value"},
	{"simulate --fast", 2, "simulate does not know --fast"},
	{"simulate twice", 2, "simulate does not know twice"},
	{"simulate --svg $F/nowhere/plot.svg", 1, "nowhere/plot.svg cannot be written"},
	{"export $D p --format xml --out $F/x", 2, "'xml'"},
	{"export $D p --format csv", 2, "--out"},
	{"infer $F/garbage.safetensors", 2, "JPEG"},
	{"infer $F/other.safetensors $F/bad/good.jpg --device cuda:x", 2, "'cuda:x'"},
	{"backup $D", 2, "FILE"},
	{"user add $D", 2, "NAME"},
	{"token", 2, "token"},
	/* what is not there */
	{"import $D nope $F", 1, "no project 'nope'"},
	{"import $F p $F", 1, "no data directory"},
	{"import $D p $F/nowhere", 1, "nowhere"},
	{"import $D p ''", 1, "cannot be read"},
	{"import $D p $F --manifest $F/nowhere.csv", 1, "nowhere.csv"},
	{"import $D p $F --manifest $F", 1, "directory"},
	{"model show $D p m9", 1, "'m9'"},
	{"model promote $D p m9", 1, "'m9'"},
	{"model rollback $D p", 1, "no model"},
	{"predict $D p", 1, "no current model"},
	{"train $D p --from m9", 1, "'m9'"},
	{"deployment set $D p nope --latitude 3", 1, "'nope'"},
	{"project show $D nope", 1, "'nope'"},
	{"project pages $D nope $F", 1, "no project 'nope'"},
	{"project pages $D p $F/nowhere", 1, "the folder"},
	{"policy show $D nope", 1, "'nope'"},
	{"policy set $D p $F/nowhere.json", 1, "nowhere.json"},
	{"certificate list $D nope", 1, "'nope'"},
	{"certificate check $D p 9", 1, "no certificate 9"},
	{"replay $D nope", 1, "'nope'"},
	{"expert list $D nope", 1, "'nope'"},
	{"gold add $D p $F/nowhere.csv", 1, "nowhere.csv"},
	{"gold draw $D p --n 5 --purpose certify", 1, "0 subjects are open"},
	{"token revoke $D nobody", 1, "nobody"},
	{"simulate --stream $F/nowhere --tau .1", 1, "nowhere"},
	{"worker http://127.0.0.1:1 --token-file $F/nowhere", 1, "nowhere"},
	{"backup $D $F/p.json", 1, "exists"},
	{"export $D p --format csv --out $F/p.json", 1, "exists"},
	{"export $D p --format csv --out $F/nowhere/x.csv", 1, "nowhere"},
	{"init $D", 1, "data directory already"},
	{"init $F/p.json", 1, "p.json"},
	/* what is there, but bad: file and line where there are lines */
	{"import $D p $F/bad --utc-offset Z --manifest $F/column.csv", 1,
		"column.csv:1: there is no column \"file\""},
	{"import $D p $F/bad --utc-offset Z --manifest $F/date.csv", 1, "date.csv:3: timestamp"},
	{"import $D p $F/bad --utc-offset Z --manifest $F/label.csv", 1,
		"label.csv:2: the project has no taxon 'unicorn'"},
	{"import $D p $F/bad --utc-offset Z --manifest $F/several.csv", 1,
		"several.csv has 2 mistakes: nothing was stored"},
	{"import $D p $F/bad/cut.jpg --utc-offset Z", 1, "cut.jpg: the file is cut short"},
	{"import $D p $F/bad/huge.jpg --utc-offset Z", 1, "60000"},
	{"import $D p $F/bad/text.jpg --utc-offset Z", 1, "text.jpg: not a usable JPEG"},
	{"import $D p $F/bad/good.jpg", 1, "--utc-offset"},
	{"import $D p $D/media", 1, "data directory itself"},
	{"gold add $D p $F/column.csv", 1,
		"column.csv:1: the header must name the columns subject and label"},
	{"gold add $D p $F/gold.csv", 1, "gold.csv:2: there is no subject 99"},
	{"gold add $D p $F/several-gold.csv", 1, "several-gold.csv: 2 rows or more are wrong"},
	{"project add $D $F/text.jpg", 1, "text.jpg:1"},
	{"project add $D $F/p.json", 1, "'p' already"},
	{"policy set $D p $F/policy.json", 1, "alpha"},
	{"policy set $D p $F/policy.json --dry-run", 1, "alpha"},
	{"policy set $D p $F/policy.json --json", 2, "--dry-run"},
	{"simulate --stream $F/p.json --tau .1", 1, "p.json:1"},
	{"model import $D p $F/garbage.safetensors", 1, "garbage.safetensors: no safetensors file"},
	{"model import $D p $F/other.safetensors", 1, "other.safetensors"},
	{"train $D p --from $F/other.safetensors", 1, "other.safetensors"},
	{"train $D p --recipe $F/nowhere.json", 1, "nowhere.json: No such file"},
	{"train $D p --recipe $F", 1, "files: Is a directory"},
	{"train $D p --recipe $F/text.jpg", 1, "text.jpg: the recipe is no JSON"},
	{"train $D p --recipe $F/field.json", 1, "field.json: a recipe has no field 'batches'"},
	{"train $D p --recipe $F/range.json", 1,
		"range.json: the recipe's batch is 0: wanted 1 to 4096"},
	{"train $D p --recipe $F/rule.json --queue", 1,
		"rule.json: the recipe's rule is \"adam\": wanted \"sgd\" or \"adamw\""},
	{"infer $F/garbage.safetensors $F/bad/good.jpg", 1, "garbage.safetensors"},
	{"infer $F/other.safetensors $F/bad/good.jpg", 1, "other.safetensors"},
	{"serve $D --worker none --listen 127.0.0.1:$P", 1, "$P"},
	{"project list $F/damaged", 1, "damaged/topi.db is damaged"},
	{"serve $N", 1, "version 999"},
	{"project list $N", 1, "version 999"},
	{"import $N p $F/bad", 1, "version 999"},
	{"export $N p --format csv --out $F/x", 1, "version 999"},
	{"gold list $N p", 1, "version 999"},
	{"user list $N", 1, "version 999"},
};

static char place[64], data[100], newer[100], files[100];
static int port;

/* The row with its four names filled in. */
static void fill_in(const char *line, char *out, size_t room)
{
	char number[16];
	size_t n = 0;
	snprintf(number, sizeof number, "%d", port);
	for (; *line && n + 100 < room; line++) {
		const char *word = *line != '$' ? NULL
			: line[1] == 'D'            ? data
			: line[1] == 'F'            ? files
			: line[1] == 'N'            ? newer
										: number;
		if (word) {
			n += (size_t)snprintf(out + n, room - n, "%s", word);
			line++;
		} else {
			out[n++] = *line;
		}
	}
	out[n] = 0;
}

/* A safetensors file in order, of a net that is not ours. */
static void other_net(void)
{
	static const char header[] =
		"{\"features.0.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}  ";
	char bytes[200] = {0};
	bytes[0] = (char)(sizeof header - 1);
	memcpy(bytes + 8, header, sizeof header - 1);
	file_write(files, "other.safetensors", bytes, 8 + sizeof header - 1 + 16);
}

static void busy_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	port = ntohs(at.sin_port);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(place, sizeof place, "/tmp/topi-cli-XXXXXX");
	assert_non_null(mkdtemp(place));
	snprintf(data, sizeof data, "%s/data", place);
	snprintf(newer, sizeof newer, "%s/newer", place);
	snprintf(files, sizeof files, "%s/files", place);
	command_init(data);
	assert_int_equal(
		command("cp -r %s %s && mkdir %s && cp %s/p.json %s", data, newer, files, data, files), 0);
	struct test_project p = {0};
	snprintf(p.dir, sizeof p.dir, "%.60s", newer);
	test_sql(&p, "PRAGMA user_version = 999");
	size_t n;
	uint8_t *bytes = photo_bytes(
		&(struct photo_spec){.seed = 1, .time = "2024:05:01 10:00:00"}, &n);
	file_write(files, "bad/good.jpg", bytes, n);
	file_write(files, "bad/cut.jpg", bytes, n / 2);
	free(bytes);
	header_write(files, "bad/huge.jpg", 60000, 60000);
	text_write(files, "bad/text.jpg", "This is no photograph.\n");
	text_write(files, "text.jpg", "This is no photograph.\n");
	text_write(files, "garbage.safetensors", "certainly no model, however long one looks at it");
	other_net();
	text_write(files, "damaged/topi.db", "Whatever this was, it is no database any more.\n");
	text_write(files, "column.csv", "name,label\ngood.jpg,blank\n");
	text_write(files, "date.csv",
		"file,timestamp\ncut.jpg,2024-05-01T10:00:00\ngood.jpg,2024-02-30T10:00:00\n");
	text_write(files, "several.csv", "file,timestamp\ngood.jpg,yesterday\ncut.jpg,today\n");
	text_write(files, "label.csv", "file,label\ngood.jpg,unicorn\n");
	text_write(files, "gold.csv", "subject,label\n99,blank\n");
	text_write(files, "several-gold.csv", "subject,label\n99,blank\nx,blank\n");
	text_write(files, "policy.json", "{\"alpha\": 3}");
	text_write(files, "field.json", "{\"batches\": 32}");
	text_write(files, "range.json", "{\"batch\": 0}");
	text_write(files, "rule.json", "{\"rule\": \"adam\"}");
	busy_port();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return command("rm -rf %s", place);
}

/* Every row of every table and every file but the databases' own bookkeeping; import_problem is a record of refusals. */
static void state_of(char out[200])
{
	assert_int_equal(command("cd %s && find . -type f ! -name 'topi.db*' ! -name 'embeddings.db*' "
							 "-exec sha256sum {} + | sort | "
							 "sha256sum",
						 data),
		0);
	struct test_project p = {0};
	snprintf(p.dir, sizeof p.dir, "%.60s", data);
	snprintf(out, 200, "%.70s %lld", command_out,
		(long long)test_sql(&p,
			"SELECT (SELECT count(*) FROM media) + 10 * (SELECT count(*) FROM subject) + 100 * "
			"(SELECT count(*) FROM deployment)"
			" + 1000 * (SELECT count(*) FROM model) + 10000 * (SELECT count(*) FROM job) + 100000 "
			"* (SELECT count(*) FROM gold)"
			" + 1000000 * (SELECT count(*) FROM policy) + 10000000 * (SELECT count(*) FROM "
			"project)"));
}

static void every_mistake_has_its_line(void **state)
{
	(void)state;
	int n_bad = 0;
	char before[200], after[200];
	state_of(before);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[600], says[200];
		fill_in(rows[i].line, line, sizeof line);
		fill_in(rows[i].says, says, sizeof says);
		/* stderr alone, without an import's progress */
		int code = command(
			"timeout 20 " TOPI
			" %s 2>%s/err >/dev/null </dev/null; c=$?; grep -v '^deployment ' %s/err; exit $c",
			line, place, place);
		size_t n = strlen(command_out);
		bool good = code == rows[i].code && strncmp(command_out, "topi: ", 6) == 0 &&
			strstr(command_out, says);
		for (size_t c = 0; c < n; c++)
			good = good && (isprint((unsigned char)command_out[c]) || command_out[c] == '\n');
		if (!strstr(line,
				"/several")) /* such a file's mistakes are a line each, and one that sums up */
			good = good && strchr(command_out, '\n') == command_out + n - 1;
		if (!good)
			print_error("topi %s: exit code %d, %s", line, code, command_out);
		state_of(after);
		if (strcmp(before, after) != 0)
			print_error("topi %s changed the data: %s, %s\n", line, before, after);
		n_bad += !good || strcmp(before, after) != 0;
		memcpy(before, after, sizeof before);
	}
	assert_int_equal(n_bad, 0);
}

/* On a disk of our own that is full, where the machine lets us have one. */
static void a_full_disk_has_its_line(void **state)
{
	(void)state;
	static const char *const lines[] = {"init $D/new", "project list $D/data", "serve $D/data",
		"gold list $D/data p", "backup $D/data $D/copy.db",
		"model import $D/data p $F/garbage.safetensors"};
	int n_bad = 0;
	if (command("unshare -m mount -t tmpfs none /mnt 2>&1") != 0) {
		print_message("skipped: no file system may be mounted here\n");
		skip();
	}
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int code = command("mkdir -p %s/small && unshare -m sh -c 'D=%s/small F=%s\n"
						   "mount -t tmpfs -o size=2m none $D && cp -r %s $D/data && "
						   "rm -f $D/data/*-shm $D/data/*-wal\n"
						   "dd if=/dev/zero of=$D/fill bs=4k 2>/dev/null\n"
						   "timeout 20 " TOPI " %s 2>&1; c=$?; ls $D/new 2>/dev/null; exit $c'",
			place, place, files, data, lines[i]);
		bool good = code == 1 && strncmp(command_out, "topi: the disk is full", 22) == 0 &&
			strchr(command_out, '\n') == command_out + strlen(command_out) - 1;
		if (!good)
			print_error("topi %s: exit code %d, %s", lines[i], code, command_out);
		n_bad += !good;
	}
	assert_int_equal(n_bad, 0);
}

static void every_command_has_help(void **state)
{
	(void)state;
	char list[16000];
	int n = 0;
	assert_int_equal(command(TOPI), 0);
	memcpy(list, command_out, sizeof list);
	for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
		char name[40];
		if (strncmp(line, "  ", 2) != 0 || !islower((unsigned char)line[2]) ||
			strstr(line, "COMMAND"))
			continue;
		snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 2, " "), line + 2);
		if (command(TOPI " help %s", name) != 0 || strlen(command_out) < 30)
			fail_msg("help %s: %s", name, command_out);
		if (command(TOPI " %s --help", name) != 0 || strlen(command_out) < 30)
			fail_msg("%s --help: %s", name, command_out);
		n++;
	}
	assert_true(n >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_has_its_line),
		cmocka_unit_test(a_full_disk_has_its_line),
		cmocka_unit_test(every_command_has_help),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
