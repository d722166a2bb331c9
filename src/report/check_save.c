// SPDX-License-Identifier: MIT
/* A search that is saved, and gone on with: which files are of it. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "report/check_report.h"
#include "report/replay_report.h"

/* Version and build of this program; -ENOTSUP if the linker has not left an id that tells builds apart. */
static int program_text(char *text, size_t size, struct sl_err *err)
{
	u8 id[TRACE_BUILD_ID_MAX];
	u32 n = trace_build_id(id);
	char build[BUILD_TEXT_MAX];

	if (!n)
		return sl_err_set(
			err, -ENOTSUP,
			"found a program without a build id; expected one for --checkpoint "
			"and --resume, which tells builds apart by it");
	snprintf(text, size, "seamlab %s, build %s", sl_version(), build_text(id, n, build));
	return 0;
}

/* The scenario, behind what the command line changed, and a policy of the user's. */
static void contents_text(const struct sl_check *c, char *text, size_t size)
{
	XXH128_hash_t h = XXH3_128bits(c->text, c->text_size);
	u64 plugin = c->plugin ? plugin_hash(c->plugin) : 0;

	snprintf(text, size, "%016llx%016llx %016llx", (unsigned long long)h.high64,
		 (unsigned long long)h.low64, (unsigned long long)plugin);
}

/* Without the blank in front. NULL without memory. */
static char *options_text(const struct sl_check_options *o)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	check_print_options(f, o);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	memmove(text, text + (*text == ' '), strlen(text + (*text == ' ')) + 1);
	return text;
}

static int open_files(struct sl_check *c, const struct save_facts *facts, struct sl_err *err)
{
	const struct sl_check_options *o = &c->options;
	int rc = 0;

	if (o->resume)
		rc = save_reader_new(o->resume, facts, &c->reader, err);
	if (!rc && o->checkpoint)
		rc = save_writer_new(o->checkpoint, facts, &c->writer, err);
	return rc;
}

int check_open_saved(struct sl_check *c, struct sl_err *err)
{
	const struct sl_check_options *o = &c->options;
	char program[64 + BUILD_TEXT_MAX], contents[64];
	struct save_facts facts = { .program = program,
				    .path = c->scenario->path,
				    .contents = contents };
	char *options;
	int rc;

	if (!o->checkpoint && !o->resume)
		return 0;
	if (o->audit || o->exact || o->runs)
		return sl_err_set(
			err, -EINVAL,
			"found a checkpoint and an audit, an exact search or random runs; "
			"expected a search that can be saved");
	rc = program_text(program, sizeof(program), err);
	if (rc)
		return rc;
	contents_text(c, contents, sizeof(contents));
	options = options_text(o);
	if (!options)
		return sl_err_set(err, -ENOMEM, "out of memory");
	facts.options = options;
	rc = open_files(c, &facts, err);
	free(options);
	return rc;
}

int sl_check_checkpoint(const struct sl_check *c, char *err, size_t err_size)
{
	struct sl_err e = { .text = "" };
	int rc = c->writer ? save_writer_result(c->writer, &e) : 0;

	if (rc < 0)
		snprintf(err, err_size, "%s", e.text);
	return rc;
}
