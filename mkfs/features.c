// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features and profiles by their names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/message.h"
#include "mkfs/options.h"

/* Which list a feature belongs to. */
enum feature_list {
	LIST_FEATURES = 1,
	LIST_RUNTIME = 2,
	LIST_BOTH = 3,
};

static const struct feature {
	const char *name;
	const char *text;
	u64 incompat;
	u64 compat_ro;
	enum feature_list lists;
	bool is_default;
	bool quota;
	bool simple_quota;
} features[] = {
	{ "mixed-bg", "mixed data and metadata block groups (compat=2.6.37, safe=2.6.37)",
	  BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS, 0, LIST_FEATURES, false, false, false },
	{ "quota", "quota support (qgroups) (compat=3.4)", 0, 0, LIST_BOTH, false, true, false },
	{ "extref", "increased hardlink limit per file to 65536 (compat=3.7, safe=3.12, default=3.12)",
	  BTRFS_FEATURE_INCOMPAT_EXTENDED_IREF, 0, LIST_FEATURES, true, false, false },
	{ "raid56", "raid56 extended format (compat=3.9)",
	  BTRFS_FEATURE_INCOMPAT_RAID56, 0, LIST_FEATURES, false, false, false },
	{ "skinny-metadata",
	  "reduced-size metadata extent refs (compat=3.10, safe=3.18, default=3.18)",
	  BTRFS_FEATURE_INCOMPAT_SKINNY_METADATA, 0, LIST_FEATURES, true, false, false },
	{ "no-holes", "no explicit hole extents for files (compat=3.14, safe=4.0, default=5.15)",
	  BTRFS_FEATURE_INCOMPAT_NO_HOLES, 0, LIST_FEATURES, true, false, false },
	{ "free-space-tree",
	  "free space tree, improved space tracking (compat=4.5, safe=4.9, default=5.15)", 0,
	  BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE | BTRFS_FEATURE_COMPAT_RO_FREE_SPACE_TREE_VALID,
	  LIST_BOTH, true, false, false },
	{ "raid1c34", "RAID1 with 3 or 4 copies (compat=5.5)",
	  BTRFS_FEATURE_INCOMPAT_RAID1C34, 0, LIST_FEATURES, false, false, false },
	{ "block-group-tree", "block group tree, more efficient block group tracking (compat=6.1)",
	  0, BTRFS_FEATURE_COMPAT_RO_BLOCK_GROUP_TREE, LIST_BOTH, false, false, false },
	{ "squota", "simple quotas (compat=6.7)",
	  BTRFS_FEATURE_INCOMPAT_SIMPLE_QUOTA, 0, LIST_BOTH, false, false, true },
};

void mkfs_default_features(struct mkfs_options *opts)
{
	opts->incompat = BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF;
	opts->compat_ro = 0;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!features[i].is_default)
			continue;
		opts->incompat |= features[i].incompat;
		opts->compat_ro |= features[i].compat_ro;
	}
}

static void list_features(void)
{
	printf("Filesystem features available:\n");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		printf("%-20s- %s\n", features[i].name, features[i].text);
}

static int apply_feature(const struct feature *feature, bool wanted, struct mkfs_options *opts)
{
	if (wanted) {
		opts->incompat |= feature->incompat;
		opts->compat_ro |= feature->compat_ro;
	} else {
		opts->incompat &= ~feature->incompat;
		opts->compat_ro &= ~feature->compat_ro;
	}
	if (feature->quota)
		opts->quota = wanted;
	if (feature->simple_quota)
		opts->simple_quota = wanted;
	if (feature->incompat & BTRFS_FEATURE_INCOMPAT_MIXED_GROUPS)
		opts->mixed = wanted;
	return 0;
}

static int parse_feature(const char *name, size_t len, struct mkfs_options *opts)
{
	bool wanted = *name != '^';

	name += !wanted;
	len -= !wanted;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (strlen(features[i].name) == len && !strncmp(features[i].name, name, len))
			return apply_feature(&features[i], wanted, opts);
	error("unrecognized filesystem feature: '%.*s'", (int)len, name);
	return -EINVAL;
}

int mkfs_parse_features(const char *list, struct mkfs_options *opts)
{
	int ret = 0;

	if (!strcmp(list, "list-all")) {
		list_features();
		return 1;
	}
	while (*list && !ret) {
		size_t len = strcspn(list, ",");

		if (len)
			ret = parse_feature(list, len, opts);
		list += len;
		list += *list == ',';
	}
	return ret;
}

static void append_name(char *names, size_t size, const char *name)
{
	size_t len = strlen(names);

	snprintf(names + len, size - len, "%s%s", len ? ", " : "", name);
}

void mkfs_feature_names(u64 incompat, u64 compat_ro, bool quota, bool simple_quota,
			char *incompat_names, char *runtime_names, size_t size)
{
	incompat_names[0] = runtime_names[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *feature = &features[i];

		if (feature->incompat && (incompat & feature->incompat) == feature->incompat)
			append_name(incompat_names, size, feature->name);
		if ((feature->compat_ro &&
		     (compat_ro & feature->compat_ro) == feature->compat_ro) ||
		    (feature->quota && quota) || (feature->simple_quota && simple_quota))
			append_name(runtime_names, size, feature->name);
	}
}

int mkfs_parse_profile(const char *name, u64 *profile)
{
	static const struct {
		const char *name;
		u64 profile;
	} profiles[] = {
		{ "single", 0 },
		{ "dup", BTRFS_BLOCK_GROUP_DUP },
		{ "raid0", BTRFS_BLOCK_GROUP_RAID0 },
		{ "raid1", BTRFS_BLOCK_GROUP_RAID1 },
		{ "raid1c3", BTRFS_BLOCK_GROUP_RAID1C3 },
		{ "raid1c4", BTRFS_BLOCK_GROUP_RAID1C4 },
		{ "raid10", BTRFS_BLOCK_GROUP_RAID10 },
		{ "raid5", BTRFS_BLOCK_GROUP_RAID5 },
		{ "raid6", BTRFS_BLOCK_GROUP_RAID6 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		if (!strcasecmp(name, profiles[i].name)) {
			*profile = profiles[i].profile;
			return 0;
		}
	}
	return -EINVAL;
}
