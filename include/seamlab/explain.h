/* SPDX-License-Identifier: MIT */
/*
 * libseamlab: what the numbers of the TDX module mean, and which of its leaves get into each other's
 * way. Everything here is read from the tables that the software module runs on. Self-contained, C and
 * C++. No function is tied to a thread, and none keeps state between calls.
 */
#ifndef SEAMLAB_EXPLAIN_H
#define SEAMLAB_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include <seamlab/module.h>
#include <seamlab/seamlab.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_explain_options {
	enum sl_release release;
	enum sl_format format;
	/* NULL, or the leaf that returned the status: then only its locks are considered. */
	const char *leaf;
	/*
	 * What bare numbers are; by default whatever they can be: a status, a SEAMCALL, a TDCALL, a TD
	 * exit.
	 */
	enum sl_explain_as { SL_AS_ANY, SL_AS_STATUS, SL_AS_SEAMCALL, SL_AS_TDCALL } as;
};

/*
 * Explains each of @count texts: a status as a number (hexadecimal with or without 0x, decimal,
 * negative) or by name ("TDX_OPERAND_BUSY", "OPERAND_BUSY|SEPT_TREE"), a leaf by name in any case and
 * spelling ("TDH.MEM.PAGE.AUG", "mem.page.aug", "TDH_MEM_PAGE_AUG") or number, an invariant by name
 * ("INV-PAGE-01"). 0 and *report, which the
 * caller frees; -EINVAL and a message for a text that is none of these; -ENOMEM.
 */
SL_API int sl_explain(const struct sl_explain_options *o, const char *const *what, size_t count,
		      char **report, char *err, size_t err_size);

/*
 * Annotates a log. As text, every byte that is fed comes out again, and behind each line with a status
 * in it follow lines that begin with SL_LOG_MARK. As JSON, one object with what was found comes out.
 * Of a line longer than SL_LOG_LINE_MAX bytes only that much is looked at. @write is called with pieces
 * of the output.
 */
#define SL_LOG_MARK     "  seamlab: "
#define SL_LOG_LINE_MAX 65536u

struct sl_log;
/* NULL without memory. o->leaf and o->as are not looked at. */
SL_API struct sl_log *sl_log_new(const struct sl_explain_options *o,
				 void (*write)(void *ctx, const char *bytes, size_t size),
				 void *ctx);
SL_API void sl_log_feed(struct sl_log *log, const char *bytes, size_t size);
/* Ends the last line and frees @log. */
SL_API void sl_log_end(struct sl_log *log);

/* Every table as one JSON object; NULL without memory. The caller frees it. */
SL_API char *sl_tables(enum sl_release release);

enum sl_matrix_format {
	SL_MATRIX_TEXT,
	SL_MATRIX_CSV,
	SL_MATRIX_JSON,
	SL_MATRIX_HTML,
};

struct sl_matrix_options {
	enum sl_release release;
	enum sl_matrix_format format;
	/* Both NULL: every pair of leaves. One: that leaf with every other. Two: this pair. */
	const char *leaf[2];
};

/* Who meets whom on which lock. 0 and *report, or -EINVAL and a message, or -ENOMEM. */
SL_API int sl_matrix(const struct sl_matrix_options *o, char **report, char *err, size_t err_size);

struct sl_confirm_options {
	enum sl_release release;
	enum sl_flavour flavour;
	enum sl_format format;
	/* As in sl_matrix_options. Of a pair the interleavings are shown, too. */
	const char *leaf[2];
	/* Called with the number of pairs that are done and of all; NULL for none. */
	void (*progress)(void *ctx, uint32_t done, uint32_t all);
	/* Polled between two worlds; true ends it as -EINTR. NULL for none. */
	bool (*interrupted)(void *ctx);
	void *ctx;
};

/*
 * Tries out what sl_matrix() says: explores worlds in which two leaves can meet and looks for each refusal
 * that the lock plans predict, and for others. 0, *report and *exit (SL_EXIT_EXPECTED, SL_EXIT_UNEXPECTED;
 * SL_EXIT_SKIPPED: a leaf that was named is not in the model's worlds, and *report says which); or
 * -EINVAL and a message, -ENOMEM, -EINTR. One exploration at a time in a process.
 */
SL_API int sl_confirm(const struct sl_confirm_options *o, char **report, enum sl_exit *exit,
		      char *err, size_t err_size);

#ifdef __cplusplus
}
#endif

#endif
