// SPDX-License-Identifier: MIT
/* Files that come with seamlab, and what to say of files that are not there. Layer: cli. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define NAMES_MAX 4096

/* "DIR/@name" in @path, if there is such a file. */
static _Bool found(const char *dir, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s", dir, name);

	return n > 0 && (size_t)n < size && !access(path, R_OK);
}

/* "@from_bin" seen from the folder of this program, without the "..", for messages. */
static _Bool beside_program(const char *from_bin, char *path, size_t size)
{
	char self[PATH_MAX], dir[PATH_MAX + 200], clean[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int len;

	if (n < 0)
		return 0;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(dir, sizeof(dir), "%s/%s", self, from_bin);
	if (!realpath(dir, clean))
		return 0;
	len = snprintf(path, size, "%s", clean);
	return len > 0 && (size_t)len < size;
}

/* The installed files lie at the same place from the program wherever the tree was put. */
static _Bool found_installed(const char *name, char *path, size_t size)
{
	char dir[PATH_MAX];

	return beside_program(SEAMLAB_DATA_FROM_BIN, dir, sizeof(dir)) &&
	       found(dir, name, path, size);
}

_Bool cli_data(const char *name, char *path, size_t size)
{
	const char *dir = getenv("SEAMLAB_DATADIR");

	/* Who names a folder means this one and no other. */
	if (dir && *dir)
		return found(dir, name, path, size);
	if (access(name, R_OK) && found_installed(name, path, size))
		return 1;
	snprintf(path, size, "%s", name);
	return !access(path, R_OK);
}

#ifdef SEAMLAB_HELPERS_FROM_BIN
_Bool cli_helper(const char *name, char *path, size_t size)
{
	static const char *const places[] = { "bench", SEAMLAB_HELPERS_FROM_BIN };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char dir[PATH_MAX];

		if (beside_program(places[i], dir, sizeof(dir)) && found(dir, name, path, size) &&
		    !access(path, X_OK))
			return 1;
	}
	snprintf(path, size, "%s", name);
	return 0;
}
#endif

/* The file in @dir whose name is nearest to @base, into @name. */
static _Bool nearest_in(const char *dir, const char *base, char *name, size_t size)
{
	const char **names = calloc(NAMES_MAX, sizeof(*names)), *best = NULL;
	struct dirent **entry = NULL;
	int all = names ? scandir(dir, &entry, NULL, alphasort) : -1;
	size_t count = 0;

	for (int i = 0; i < all && count < NAMES_MAX; i++)
		if (entry[i]->d_name[0] != '.')
			names[count++] = entry[i]->d_name;
	if (names)
		best = sl_nearest(base, names, count);
	if (best)
		snprintf(name, size, "%s", best);
	for (int i = 0; i < all; i++)
		free(entry[i]);
	free(entry);
	free(names);
	return best != NULL;
}

/* A file that @path, which is not there, may stand for. */
static _Bool near_file(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char dir[PATH_MAX], name[NAME_MAX + 1];
	int n;

	n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (n < 0 || (size_t)n >= sizeof(dir))
		return 0;
	if (nearest_in(*dir ? dir : "/", base, name, sizeof(name))) {
		n = snprintf(out, size, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, name);
		return n > 0 && (size_t)n < size;
	}
	return path[0] != '/' && cli_data(path, out, size);
}

int cli_file_error(const char *command, int rc, const char *path, const char *err)
{
	char near[PATH_MAX];

	if (rc == -ENOENT && path && near_file(path, near, sizeof(near)))
		return cli_error(command, "%s; did you mean '%s'?", err, near);
	return cli_error(command, "%s", err);
}
