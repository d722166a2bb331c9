// SPDX-License-Identifier: MIT
/* What was measured on, and with which tools. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

/* What stands behind the colon of the first line that begins with @key. */
static void from_proc(const char *path, const char *key, char *text, size_t size)
{
	char line[512];
	FILE *f = fopen(path, "r");

	snprintf(text, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (!strncmp(line, key, strlen(key)) && colon) {
			colon += 1 + strspn(colon + 1, " \t");
			snprintf(text, size, "%.*s", (int)strcspn(colon, "\n"), colon);
			break;
		}
	}
	if (f)
		fclose(f);
}

/* The first line that a tool prints about its version, or that it is not there. */
static json_t *version_of(const char *name, const char *option)
{
	const char *const argv[] = { name, option, NULL };
	const struct bench_run r = { .argv = argv, .limit = 10 };
	struct bench_done d;
	json_t *v = NULL;

	if (bench_has(name) && bench_child(&r, &d)) {
		v = json_stringn(d.out, strcspn(d.out, "\n"));
		free(d.out);
	}
	return v ? v : json_string("not installed");
}

/* Who else wants the processors: the load of the last 1, 5 and 15 minutes. */
static json_t *load(void)
{
	double v[3];
	char text[64] = "unknown";

	if (getloadavg(v, 3) == 3)
		snprintf(text, sizeof(text), "%.2f %.2f %.2f", v[0], v[1], v[2]);
	return json_string(text);
}

json_t *bench_machine(void)
{
	char cpu[256], memory[64];
	struct utsname u;

	from_proc("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	from_proc("/proc/meminfo", "MemTotal", memory, sizeof(memory));
	if (uname(&u))
		snprintf(u.release, sizeof(u.release), "unknown");
	return json_pack("{s:s, s:i, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:s}", "cpu", cpu,
			 "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "memory", memory, "kernel",
			 u.release, "load", load(), "seamlab", sl_version(), "built_with",
			 __VERSION__, "cc", version_of(bench_cc(), "--version"), "spin",
			 version_of("spin", "-V"), "rumur", version_of("rumur", "--version"),
			 "libck", BENCH_CK_VERSION);
}
