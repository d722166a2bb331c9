/* SPDX-License-Identifier: MIT */
/*
 * Saved searches (save.h) as files: written beside the file and put in its place when whole, compressed, with a
 * checksum over all of it, and with what the search is of. Layer: engine.
 */
#ifndef SL_ENGINE_SAVE_FILE_H
#define SL_ENGINE_SAVE_FILE_H

#include "base/err.h"
#include "engine/explore/search.h"

/* What a search is of: one line of text each. Only who agrees in all but the path can go on with it. */
struct save_facts {
	const char *program;  /* version and build */
	const char *path;     /* of the scenario */
	const char *contents; /* of the scenario and all that belongs to it: a digest */
	const char *options;  /* that the result depends on */
};

struct save_writer;
struct save_reader;

/*
 * 0, or -errno and *err if no such file can be written; it is not touched before there is something to save.
 * @facts stay the caller's.
 */
int save_writer_new(const char *path, const struct save_facts *facts, struct save_writer **out,
		    struct sl_err *err) SL_WARN_UNUSED;
struct xs_keeper save_keeper(struct save_writer *w, double every);
/* 1: something was saved, and nothing has failed since; 0: nothing was saved; or -errno and *err. */
int save_writer_result(const struct save_writer *w, struct sl_err *err);
void save_writer_free(struct save_writer *w);

/*
 * 0; or -errno and *err: it cannot be read, is no whole file of this kind (-EINVAL), or is of something else than
 * @facts say (-ESTALE).
 */
int save_reader_new(const char *path, const struct save_facts *facts, struct save_reader **out,
		    struct sl_err *err) SL_WARN_UNUSED;
struct xs_source save_source(struct save_reader *r);
void save_reader_free(struct save_reader *r);

#endif
