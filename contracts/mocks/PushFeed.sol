// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";

/// @title PushFeed
/// @notice A price feed that says what its owner pushed last, in the dialect of Chainlink's.
contract PushFeed is IAggregatorV3, Ownable {
    uint8 public immutable decimals;
    string public description;

    /// @dev One slot, so that reading the feed reads once.
    int128 private _answer;
    uint64 private _updatedAt;
    uint64 private _roundId;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    constructor(address owner, uint8 decimals_, string memory description_) Ownable(owner) {
        decimals = decimals_;
        description = description_;
    }

    /// @notice Publishes `answer` as of now. Owner only.
    function push(int128 answer) external {
        pushAt(answer, uint64(block.timestamp));
    }

    /// @notice Publishes `answer` as of `updatedAt`, which may be any time: a feed that lies about it is a thing to
    /// test against. Owner only.
    function pushAt(int128 answer, uint64 updatedAt) public onlyOwner {
        _answer = answer;
        _updatedAt = updatedAt;
        emit AnswerUpdated(answer, ++_roundId, updatedAt);
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _updatedAt, _updatedAt, _roundId);
    }
}
