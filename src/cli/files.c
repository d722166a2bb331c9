// SPDX-License-Identifier: MIT
/* Scenario files named on the command line, folders opened. Layer: cli. */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add(struct cli_files *f, const char *path, _Bool from_folder)
{
	struct cli_file *more = realloc(f->file, ((size_t)f->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->file = more;
	more[f->count].path = strdup(path);
	more[f->count].from_folder = from_folder;
	return more[f->count].path ? (f->count++, 0) : -ENOMEM;
}

/* Every *.yaml below @path, in order. */
static int add_folder(struct cli_files *f, char *path)
{
	char *roots[] = { path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *e;
	int rc = tree ? 0 : -errno;

	while (!rc && (e = fts_read(tree))) {
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
			rc = -e->fts_errno;
		else if (e->fts_info == FTS_F && e->fts_namelen > 5 &&
			 !strcmp(e->fts_name + e->fts_namelen - 5, ".yaml"))
			rc = add(f, e->fts_path, 1);
	}
	if (tree)
		fts_close(tree);
	return rc;
}

int cli_files_expand(const struct cli_words *args, struct cli_files *f)
{
	struct stat st;
	int rc = 0;

	*f = (struct cli_files){ 0 };
	for (int i = 0; i < args->count && !rc; i++) {
		char *arg = args->word[i];
		size_t len = strlen(arg);

		f->failed = arg;
		if (stat(arg, &st) || !S_ISDIR(st.st_mode)) {
			rc = add(f, arg, 0);
			continue;
		}
		/* Without the slash that a shell's completion leaves. */
		while (len > 1 && arg[len - 1] == '/')
			arg[--len] = '\0';
		rc = add_folder(f, arg);
	}
	return rc;
}

/* As folders are read: what is in a folder comes before what begins with its name and goes on otherwise. */
static int by_path(const void *x, const void *y)
{
	const struct cli_file *one = x, *other = y;
	const char *a = one->path, *b = other->path;

	while (*a && *a == *b)
		a++, b++;
	if (!*a && !*b)
		return one->from_folder - other->from_folder;
	return (*a == '/' ? 1 : (unsigned char)*a * 2) - (*b == '/' ? 1 : (unsigned char)*b * 2);
}

void cli_files_sort(struct cli_files *f)
{
	if (f->count)
		qsort(f->file, (size_t)f->count, sizeof(*f->file), by_path);
}

void cli_files_free(struct cli_files *f)
{
	for (int i = 0; i < f->count; i++)
		free(f->file[i].path);
	free(f->file);
	*f = (struct cli_files){ 0 };
}
