#!/bin/sh
# Download Debian's compiler for ARM64, and the headers that kerasseq.c needs, into a
# folder (40 MB, 170 MB unpacked): `sh cross_compiler.sh FOLDER`. Nothing is installed on
# the system, whose own gcc must be of the same version.
set -eu
folder=$(realpath -m "$1")
[ -d "$folder" ] && exit
mkdir -p "$(dirname "$folder")"
made=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$made"' EXIT
cd "$made"
mkdir -p lists/partial archives/partial debs whole/root
# An apt of its own with the sources of the system, whose dpkg learns nothing of it.
cat > apt.conf <<CONFIGURATION
Dir::State "$made";
Dir::State::status "/dev/null";
Dir::Cache "$made";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
CONFIGURATION
export APT_CONFIG="$made/apt.conf"
apt-get -qq update
version=$(gcc -dumpversion)
cd debs
apt-get -qq download "gcc-$version-aarch64-linux-gnu" "cpp-$version-aarch64-linux-gnu" \
  binutils-aarch64-linux-gnu "libgcc-$version-dev-arm64-cross" libc6:arm64 \
  libc6-dev:arm64 linux-libc-dev:arm64 zlib1g:arm64 zlib1g-dev:arm64 libgcc-s1:arm64 \
  libstdc++6:arm64
for package in *.deb; do
  case $package in
    *_arm64.deb) dpkg -x "$package" ../whole/root ;;
    *) dpkg -x "$package" ../whole ;;
  esac
done
cat > ../whole/gcc <<SCRIPT
#!/bin/sh
export PATH="$folder/usr/bin:\$PATH" LD_LIBRARY_PATH="$folder/usr/lib/x86_64-linux-gnu"
exec "aarch64-linux-gnu-gcc-$version" "--sysroot=$folder/root" "\$@"
SCRIPT
chmod +x ../whole/gcc
mv ../whole "$folder"
