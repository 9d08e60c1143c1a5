/* All of the engine, linked with what it names itself: nothing of the database or the web comes along. */
#include <stdio.h>
#include <string.h>

int main(void)
{
	static const char *const strangers[] = {"libsqlite3", "libcivetweb", "libcurl", "libsodium"};
	char line[4200];
	int n_found = 0, n_lines = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps)) {
		n_lines++;
		for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
			if (strstr(line, strangers[i])) {
				fprintf(stderr, "the engine brings %s", line);
				n_found++;
			}
		}
	}
	if (maps)
		fclose(maps);
	return n_found > 0 || n_lines == 0;
}
