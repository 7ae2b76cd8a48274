// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {PushFeed} from "./PushFeed.sol";

/// @title PriceBoard
/// @notice Owns many feeds and publishes to all of them in one transaction.
contract PriceBoard is Ownable {
    constructor(address owner) Ownable(owner) {}

    /// @notice Publishes `answers[i]` to `feeds[i]` as of now. Owner only.
    function push(PushFeed[] calldata feeds, int128[] calldata answers) external onlyOwner {
        for (uint256 i = 0; i < feeds.length; i++) {
            feeds[i].push(answers[i]);
        }
    }

    /// @notice The same as of another time. Owner only.
    function pushAt(PushFeed[] calldata feeds, int128[] calldata answers, uint64 updatedAt) external onlyOwner {
        for (uint256 i = 0; i < feeds.length; i++) {
            feeds[i].pushAt(answers[i], updatedAt);
        }
    }
}
