// SPDX-License-Identifier: MIT
/* Files of saved searches. Bytes from outside: nothing in them is believed before all were looked at. Layer: engine. */
#include "engine/explore/save_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>
#include <zstd.h>

#include "base/bug.h"

/*
 * A head; the facts, each with an end of line; one zstd frame; XXH3 of all that. As it is in memory: another
 * machine's would be another build's.
 */
#define MAGIC      "SLSEARCH"
#define VERSION    1u
#define FACTS      4u
#define FACTS_MAX  (64u << 10)
#define CHUNK      (1u << 17)
#define CHECK_SIZE sizeof(XXH64_hash_t)
/* Most of it are fingerprints, which do not get smaller by trying hard. */
#define LEVEL 1

struct head {
	char magic[8];
	u32 version, facts;
};

/* In messages, the end of a long path. */
static const char *shown(const char *path)
{
	size_t n = strlen(path);

	return n > 200 ? path + n - 200 : path;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct save_writer {
	char *path, *part;
	char *facts;
	size_t facts_size;
	int fd; /* -1: nothing is being written */
	ZSTD_CCtx *zstd;
	XXH3_state_t *hash;
	int rc; /* of the last time */
	bool written;
	u8 out[CHUNK];
};

static void failed(struct save_writer *w, int rc)
{
	if (!w->rc)
		w->rc = rc;
}

static void write_all(struct save_writer *w, const void *bytes, size_t size)
{
	const u8 *p = bytes;

	XXH3_64bits_update(w->hash, bytes, size);
	while (size && !w->rc) {
		ssize_t n = write(w->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			failed(w, n < 0 ? -errno : -EIO);
			return;
		}
		p += n;
		size -= (size_t)n;
	}
}

static int open_part(const struct save_writer *w)
{
	int fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : fd;
}

static void keeper_begin(void *ctx)
{
	struct save_writer *w = ctx;
	struct head h = { .magic = MAGIC, .version = VERSION, .facts = (u32)w->facts_size };

	w->rc = 0;
	w->fd = open_part(w);
	if (w->fd < 0) {
		failed(w, w->fd);
		return;
	}
	XXH3_64bits_reset(w->hash);
	ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	write_all(w, &h, sizeof(h));
	write_all(w, w->facts, w->facts_size);
}

static void compress(struct save_writer *w, const void *bytes, size_t size, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { .src = bytes, .size = size };
	size_t left;

	do {
		ZSTD_outBuffer out = { .dst = w->out, .size = sizeof(w->out) };

		left = ZSTD_compressStream2(w->zstd, &out, &in, how);
		if (ZSTD_isError(left)) {
			failed(w, -ENOMEM);
			return;
		}
		write_all(w, w->out, out.pos);
	} while (!w->rc && (in.pos < in.size || (how == ZSTD_e_end && left)));
}

static void keeper_put(void *ctx, const void *bytes, size_t size)
{
	struct save_writer *w = ctx;

	if (!w->rc)
		compress(w, bytes, size, ZSTD_e_continue);
}

/* So that the new name, too, is there after a power cut. */
static void sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		/* Some file systems cannot; then there is nothing to be done. */
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

static void keeper_end(void *ctx)
{
	struct save_writer *w = ctx;
	XXH64_hash_t sum;

	if (w->fd < 0)
		return;
	if (!w->rc)
		compress(w, NULL, 0, ZSTD_e_end);
	sum = XXH3_64bits_digest(w->hash);
	write_all(w, &sum, sizeof(sum));
	if (fsync(w->fd) && errno != EINVAL)
		failed(w, -errno);
	if (close(w->fd))
		failed(w, -errno);
	w->fd = -1;
	if (!w->rc && rename(w->part, w->path))
		failed(w, -errno);
	if (w->rc) {
		unlink(w->part);
		return;
	}
	sync_folder(w->path);
	w->written = true;
}

struct xs_keeper save_keeper(struct save_writer *w, double every)
{
	return (struct xs_keeper){ .every = every,
				   .begin = keeper_begin,
				   .put = keeper_put,
				   .end = keeper_end,
				   .ctx = w };
}

static int cannot_write(const struct save_writer *w, int rc, struct sl_err *err)
{
	return sl_err_set(err, rc, "%s: cannot write the checkpoint: %s", shown(w->path),
			  strerror(-rc));
}

/* The file may be there already, or not; what would be lost for good is no checkpoint. */
static int try_to_write(const struct save_writer *w, struct sl_err *err)
{
	struct stat st;
	int fd;

	if (!stat(w->path, &st) && !S_ISREG(st.st_mode))
		return sl_err_set(err, -EINVAL,
				  "%s: found something else than a file; expected a place for the "
				  "checkpoint",
				  shown(w->path));
	fd = open_part(w);
	if (fd < 0)
		return cannot_write(w, fd, err);
	close(fd);
	unlink(w->part);
	return 0;
}

static char *facts_text(const struct save_facts *f)
{
	char *text;

	return asprintf(&text, "%s\n%s\n%s\n%s\n", f->program, f->path, f->contents, f->options) < 0
		       ? NULL
		       : text;
}

int save_writer_new(const char *path, const struct save_facts *facts, struct save_writer **out,
		    struct sl_err *err)
{
	struct save_writer *w = calloc(1, sizeof(*w));
	int rc = -ENOMEM;

	if (!w)
		return sl_err_set(err, rc, "%s: no memory for the checkpoint", shown(path));
	w->fd = -1;
	w->path = strdup(path);
	w->facts = facts_text(facts);
	w->facts_size = w->facts ? strlen(w->facts) : 0;
	w->zstd = ZSTD_createCCtx();
	w->hash = XXH3_createState();
	if (asprintf(&w->part, "%s.part", path) < 0)
		w->part = NULL;
	if (!w->path || !w->facts || !w->zstd || !w->hash || !w->part ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL)))
		sl_err_set(err, rc, "%s: no memory for the checkpoint", shown(path));
	else if (w->facts_size > FACTS_MAX)
		rc = sl_err_set(err, -E2BIG, "%s: found a path or options that are too long",
				shown(path));
	else
		rc = try_to_write(w, err);
	if (rc) {
		save_writer_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

int save_writer_result(const struct save_writer *w, struct sl_err *err)
{
	return w->rc ? cannot_write(w, w->rc, err) : w->written;
}

void save_writer_free(struct save_writer *w)
{
	if (!w)
		return;
	free(w->path);
	free(w->part);
	free(w->facts);
	ZSTD_freeCCtx(w->zstd);
	XXH3_freeState(w->hash);
	free(w);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct save_reader {
	FILE *f;
	u64 left; /* of the frame */
	char *facts;
	ZSTD_DCtx *zstd;
	size_t in_used, in_size, out_used, out_size;
	u8 in[CHUNK], out[CHUNK];
};

/* The next bytes of what was put, to r->out. False: there are none. */
static bool fill(struct save_reader *r)
{
	ZSTD_outBuffer out = { .dst = r->out, .size = sizeof(r->out) };

	while (!out.pos) {
		ZSTD_inBuffer in = { .src = r->in };
		size_t rc;

		if (r->in_used == r->in_size) {
			size_t want = r->left < sizeof(r->in) ? (size_t)r->left : sizeof(r->in);

			r->in_used = 0;
			r->in_size = want ? fread(r->in, 1, want, r->f) : 0;
			r->left -= r->in_size;
		}
		in.size = r->in_size;
		in.pos = r->in_used;
		rc = ZSTD_decompressStream(r->zstd, &out, &in);
		if (ZSTD_isError(rc) || (in.pos == r->in_used && !out.pos))
			return false;
		r->in_used = in.pos;
	}
	r->out_used = 0;
	r->out_size = out.pos;
	return true;
}

static bool source_get(void *ctx, void *bytes, size_t size)
{
	struct save_reader *r = ctx;
	u8 *to = bytes;

	while (size) {
		size_t n = r->out_size - r->out_used;

		if (!n) {
			if (!fill(r))
				return false;
			continue;
		}
		n = n < size ? n : size;
		memcpy(to, r->out + r->out_used, n);
		r->out_used += n;
		to += n;
		size -= n;
	}
	return true;
}

struct xs_source save_source(struct save_reader *r)
{
	return (struct xs_source){ .get = source_get, .ctx = r };
}

static int refuse(const char *path, const char *found, const char *expected, struct sl_err *err)
{
	return sl_err_set(err, -EINVAL, "%s: found %s; expected %s", shown(path), found, expected);
}

/* Is the file what was once written? @size: of all of it. */
static int verify(struct save_reader *r, const char *path, u64 size, struct sl_err *err)
{
	XXH3_state_t *hash = XXH3_createState();
	XXH64_hash_t sum, said;
	u64 left = size - CHECK_SIZE;

	if (!hash)
		return sl_err_set(err, -ENOMEM, "%s: no memory for the checkpoint", shown(path));
	XXH3_64bits_reset(hash);
	rewind(r->f);
	while (left) {
		size_t want = left < sizeof(r->in) ? (size_t)left : sizeof(r->in);
		size_t n = fread(r->in, 1, want, r->f);

		if (!n)
			break;
		XXH3_64bits_update(hash, r->in, n);
		left -= n;
	}
	sum = XXH3_64bits_digest(hash);
	XXH3_freeState(hash);
	if (left || fread(&said, 1, sizeof(said), r->f) != sizeof(said) || sum != said)
		return refuse(path, "a checkpoint that is cut short or damaged",
			      "all of what seamlab check wrote", err);
	return 0;
}

static int read_head(struct save_reader *r, const char *path, u64 *size, struct sl_err *err)
{
	const char *expected = "a checkpoint that seamlab check --checkpoint wrote";
	struct head h;
	struct stat st;
	char found[40], version[40];
	int rc;

	if (fstat(fileno(r->f), &st))
		return sl_err_set(err, -errno, "%s: cannot read: %s", shown(path), strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(path, "something else than a file", expected, err);
	*size = (u64)st.st_size;
	if (!*size)
		return refuse(path, "an empty file", expected, err);
	if (fread(&h, 1, sizeof(h), r->f) != sizeof(h) || memcmp(h.magic, MAGIC, sizeof(h.magic)))
		return refuse(path, "a file of another kind", expected, err);
	if (h.version != VERSION) {
		snprintf(found, sizeof(found), "a checkpoint of version %u", h.version);
		snprintf(version, sizeof(version), "version %u", VERSION);
		return refuse(path, found, version, err);
	}
	if (h.facts > FACTS_MAX || *size < sizeof(h) + h.facts + CHECK_SIZE)
		return refuse(path, "a checkpoint that is cut short or damaged",
			      "all of what seamlab check wrote", err);
	rc = verify(r, path, *size, err);
	if (rc)
		return rc;
	r->facts = calloc(h.facts + 1u, 1);
	if (!r->facts)
		return sl_err_set(err, -ENOMEM, "%s: no memory for the checkpoint", shown(path));
	r->left = *size - sizeof(h) - h.facts - CHECK_SIZE;
	if (fseek(r->f, sizeof(h), SEEK_SET) || fread(r->facts, 1, h.facts, r->f) != h.facts)
		return sl_err_set(err, -EIO, "%s: cannot read", shown(path));
	return 0;
}

static const char *or_none(const char *options)
{
	return *options ? options : "no options";
}

static int compare(struct save_reader *r, const char *path, const struct save_facts *want,
		   struct sl_err *err)
{
	char *line[FACTS], *at = r->facts;

	for (u32 i = 0; i < FACTS; i++) {
		line[i] = at ? strsep(&at, "\n") : NULL;
		if (!line[i])
			return refuse(path, "a checkpoint of nothing", "what the search is of",
				      err);
	}
	if (strcmp(line[0], want->program) != 0)
		return sl_err_set(
			err, -ESTALE,
			"%s: found the search of another program, %s; expected one of this, "
			"%s",
			shown(path), line[0], want->program);
	if (strcmp(line[2], want->contents) != 0)
		return sl_err_set(
			err, -ESTALE,
			"%s: found the search of another scenario or policy (%s, or what it "
			"was then); expected that of %s",
			shown(path), shown(line[1]), shown(want->path));
	if (strcmp(line[3], want->options) != 0)
		return sl_err_set(
			err, -ESTALE,
			"%s: found a search with other options (%s); expected the same (%s)",
			shown(path), or_none(line[3]), or_none(want->options));
	return 0;
}

int save_reader_new(const char *path, const struct save_facts *facts, struct save_reader **out,
		    struct sl_err *err)
{
	struct save_reader *r = calloc(1, sizeof(*r));
	u64 size;
	int rc;

	if (!r)
		return sl_err_set(err, -ENOMEM, "%s: no memory for the checkpoint", shown(path));
	errno = 0;
	r->f = fopen(path, "rbe");
	r->zstd = ZSTD_createDCtx();
	if (!r->f)
		rc = sl_err_set(err, errno ? -errno : -EIO, "%s: cannot open: %s", shown(path),
				strerror(errno));
	else if (!r->zstd)
		rc = sl_err_set(err, -ENOMEM, "%s: no memory for the checkpoint", shown(path));
	else
		rc = read_head(r, path, &size, err);
	if (!rc)
		rc = compare(r, path, facts, err);
	if (rc) {
		save_reader_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void save_reader_free(struct save_reader *r)
{
	if (!r)
		return;
	if (r->f)
		fclose(r->f);
	ZSTD_freeDCtx(r->zstd);
	free(r->facts);
	free(r);
}
