// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// From leaves and proofs to roots: pairs are hashed with the smaller node first.
library MerkleProof {
    function rootOf(bytes32 leaf, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 i = 0; i < proof.length; i++) {
            node = pair(node, proof[i]);
        }
    }

    /// One proof of several leaves: a flag says whether both children are known already.
    function rootOfMany(bytes32[] memory leaves, bytes32[] calldata proof, bool[] calldata flags)
        internal
        pure
        returns (bytes32)
    {
        require(leaves.length + proof.length == flags.length + 1, "lengths");
        if (flags.length == 0) {
            return leaves.length == 1 ? leaves[0] : proof[0];
        }
        bytes32[] memory hashes = new bytes32[](flags.length);
        uint256 leaf;
        uint256 hash;
        uint256 sibling;
        for (uint256 i = 0; i < flags.length; i++) {
            bytes32 a = leaf < leaves.length ? leaves[leaf++] : hashes[hash++];
            bytes32 b = !flags[i] ? proof[sibling++] : leaf < leaves.length ? leaves[leaf++] : hashes[hash++];
            hashes[i] = pair(a, b);
        }
        require(sibling == proof.length, "proof");
        return hashes[flags.length - 1];
    }

    function pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }
}
