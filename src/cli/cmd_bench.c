// SPDX-License-Identifier: MIT
/*
 * seamlab bench: a program of its own (bench/), so that nothing that is measured weighs upon this one.
 * Layer: cli.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

int cmd_bench(int argc, char **argv)
{
	char self[PATH_MAX], helper[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)argc;
	if (n < 0)
		return cli_error("bench", "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	if (!cli_helper("seamlab-bench", helper, sizeof(helper))) {
		cli_error("bench", "%s is not installed", helper);
		return SL_EXIT_SKIPPED;
	}
	if (!setenv("SEAMLAB_PROGRAM", self, 1))
		execv(helper, argv);
	return cli_error("bench", "%s: %s", helper, strerror(errno));
}
