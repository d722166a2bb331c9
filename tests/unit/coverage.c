// SPDX-License-Identifier: MIT
/*
 * Which statuses have the unit tests of the module seen? Runs the programs that it is given; their
 * fixture writes down each leaf with each status that it returned. Then:
 *
 *   every status that a leaf may return, by leaf_status.def and lock_plan.def, was returned once
 *   no leaf returned anything else
 *   every leaf that exists has a list, and no other
 *   the statuses that a user would look up by their number were all produced
 *
 * Prints the table, leaf by leaf, and the holes. Usage: coverage PROGRAM...
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seamlab/tdx_abi.h>

#include "base/types.h"
#include "module/leaf_status.h"
#include "module/plan.h"

#define LEAVES   64
#define SEEN_MAX 4096

/* Numbers that people meet in logs, and who they come from. */
static const u64 worked[] = {
	0x8000020000000001, 0x8000020000000002, 0x8000020000000008, 0x8000020000000080,
	0x8000020000000092, 0x80000200000000A8, 0x80000200000000A9, 0x80000200000000AC,
	0x80000200000000B0, 0x80000200000000BA, 0x80000200000000BB, 0x80000200000000BC,
	0x8000020100000000, 0x9000020500000000, 0x00000B0700000001, 0xC0000B0600000001,
	0xC0000B0800000001, 0xC0000B0800000092, 0x0000000000000030, 0x000000000000004D,
};

static struct {
	bool guest;
	u32 leaf;
	u64 status;
} seen[SEEN_MAX];
static u32 seen_count, errors;

static bool was_seen(bool guest, u32 leaf, u64 status)
{
	for (u32 i = 0; i < seen_count; i++)
		if (seen[i].guest == guest && seen[i].status == status &&
		    (leaf == LEAF_ANY || seen[i].leaf == leaf))
			return true;
	return false;
}

static const char *leaf_name(bool guest, u32 leaf)
{
	const char *name = guest ? tdx_tdcall_name(leaf) : tdx_seamcall_name(leaf);

	if (leaf == LEAF_ANY)
		return guest ? "any TDCALL" : "any SEAMCALL";
	return name ? name : "no leaf";
}

static void complain(const char *what, bool guest, u32 leaf, u64 status)
{
	const char *name = tdx_status_name(status);

	printf("%s: %s 0x%016llx %s\n", what, leaf_name(guest, leaf), (unsigned long long)status,
	       name ? name : "");
	errors++;
}

static void read_log(FILE *log)
{
	unsigned int guest, leaf;
	unsigned long long status;

	rewind(log);
	while (fscanf(log, "%u %u %llx", &guest, &leaf, &status) == 3) {
		if (was_seen(guest, leaf, status))
			continue;
		if (seen_count == SEEN_MAX) {
			printf("more than %u pairs of leaf and status\n", SEEN_MAX);
			exit(1);
		}
		seen[seen_count].guest = guest;
		seen[seen_count].leaf = leaf;
		seen[seen_count++].status = status;
	}
}

/* Runs @program with its log going to @path; true if it succeeded. */
static bool run(const char *program, const char *path)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		setenv("SEAMLAB_STATUS_LOG", path, 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The leaf's own statuses and those of its locks: how many, and how many of them were seen. */
static void check_leaf(bool guest, u32 leaf, u32 *all, u32 *found)
{
	const struct lock_step *s = NULL;
	const u64 *list;
	u32 count = 0;

	list = guest ? leaf_status_tdcall(leaf, &count) : leaf_status_seamcall(leaf, &count);
	if (leaf != LEAF_ANY)
		s = leaf_status_locks(guest, leaf);
	for (u32 i = 0; i < count; i++) {
		++*all;
		if (was_seen(guest, leaf, list[i]))
			++*found;
		else
			complain("never returned", guest, leaf, list[i]);
	}
	/* Leaves without a list are described only, as are the pages of L2 VMs. */
	for (; list && s && s->object != LOCK_END; s++) {
		if (s->object == LOCK_L2_PAGE)
			continue;
		++*all;
		if (was_seen(guest, leaf, s->busy))
			++*found;
		else
			complain("never returned", guest, leaf, s->busy);
	}
	if (list)
		printf("%-24s %3u of %3u\n", leaf_name(guest, leaf), *found, *all);
}

static void check_lists(void)
{
	u32 all = 0, found = 0;

	for (u32 guest = 0; guest < 2; guest++)
		for (u32 leaf = 0; leaf <= LEAVES; leaf++) {
			u32 a = 0, f = 0;

			check_leaf(guest, leaf == LEAVES ? LEAF_ANY : leaf, &a, &f);
			all += a;
			found += f;
		}
	printf("%-24s %3u of %3u\n", "all", found, all);
	for (u32 i = 0; i < seen_count; i++)
		if (!leaf_may_return(seen[i].guest, seen[i].leaf, seen[i].status))
			complain("not in its list", seen[i].guest, seen[i].leaf, seen[i].status);
}

static bool exists(bool guest, u32 leaf)
{
#define SL_SEAMCALL(ident, number, name)
#define SL_TDCALL(ident, number, name)
#define SL_SEAMCALL_IMPL(ident, number, name) \
	if (!guest && leaf == (number))       \
		return true;
#define SL_TDCALL_IMPL(ident, number, name) \
	if (guest && leaf == (number))      \
		return true;
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since, ident, number, name) \
	if (!guest && leaf == (number))             \
		return true;
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
	return false;
}

static void check_every_leaf(void)
{
	u32 count;

	for (u32 leaf = 0; leaf < LEAVES; leaf++) {
		if (exists(false, leaf) != !!leaf_status_seamcall(leaf, &count))
			complain("list and leaf differ", false, leaf, 0);
		if (exists(true, leaf) != !!leaf_status_tdcall(leaf, &count))
			complain("list and leaf differ", true, leaf, 0);
	}
}

static void check_worked(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(worked); i++)
		if (!was_seen(false, LEAF_ANY, worked[i]) && !was_seen(true, LEAF_ANY, worked[i]))
			complain("worked value never returned", false, LEAF_ANY, worked[i]);
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/seamlab-status-XXXXXX";
	int fd = mkstemp(path);
	FILE *log = fd < 0 ? NULL : fdopen(fd, "r");

	if (!log || argc < 2) {
		fprintf(stderr, "usage: coverage PROGRAM...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (!run(argv[i], path)) {
			printf("%s failed\n", argv[i]);
			errors++;
		}
	read_log(log);
	fclose(log);
	unlink(path);
	check_every_leaf();
	check_lists();
	check_worked();
	printf("%u pairs of leaf and status seen, %u errors\n", seen_count, errors);
	return errors ? 1 : 0;
}
