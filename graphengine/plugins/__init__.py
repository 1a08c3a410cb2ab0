"""Plugins: found on disk, read whole, trusted by what they hold, and loaded as a snapshot.

PluginFolders ──find──▶ Source      what lies there: files, digest, manifest
Source + Decisions ───▶ state       enabled, new, changed or disabled
Source ────────load───▶ Plugin      its nodes, or why it has none; kept by a `Registry`

A plugin's modules run from the bytes that were hashed, under a name that no other load has, so an
edited plugin is loaded beside the old one and a run that has begun goes on with what it began with.
"""
